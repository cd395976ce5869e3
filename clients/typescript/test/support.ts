/**
 * What the tests share. FORST_URL is the address of a running server that sends a heartbeat every
 * 100 ms; FORST_PYTHON is the Python that has the server, for tests that start their own.
 */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import {
  ForstError,
  ForstStreamingClient,
  type InvalidLine,
  type ProcessedRecord,
  type ResultStream,
  type StreamingRecord,
  type StreamOptions,
} from "forstcore";

const { FORST_URL = "", FORST_PYTHON = "python3" } = process.env;
export const url: string = FORST_URL;
export const ENDPOINT = "/streaming-process";
export const client = new ForstStreamingClient(FORST_URL);

export function record(id: number, data = "x"): StreamingRecord {
  return { id: `${id}`, data };
}

export function result(id: number, data = "x"): ProcessedRecord {
  return { id: `${id}`, result: `processed_${data}`, status: "success" };
}

/** An endless producer; `produced` counts records, `returned` counts calls of `return()`. */
export class Endless implements AsyncIterable<StreamingRecord> {
  readonly #pauseMs: number;
  readonly #data: string;
  produced = 0;
  returned = 0;

  constructor(pauseMs = 0, data = "x") {
    this.#pauseMs = pauseMs;
    this.#data = data;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StreamingRecord> {
    try {
      for (;;) {
        this.produced++;
        yield record(this.produced, this.#data);
        if (this.#pauseMs > 0) await sleep(this.#pauseMs);
      }
    } finally {
      this.returned++;
    }
  }
}

/** A producer whose items are pushed one by one. */
export class Queue<T> implements AsyncIterableIterator<T> {
  readonly #items: T[] = [];
  #wake = () => {};
  returned = 0;

  put(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  async next(): Promise<IteratorResult<T>> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) return { done: false, value: item };
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async return(): Promise<IteratorResult<T>> {
    this.returned++;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Read until the stream fails; return the error and the results before it. */
export async function failed<T>(items: AsyncIterable<T>): Promise<[ForstError, T[]]> {
  const found: T[] = [];
  try {
    for await (const item of items) found.push(item);
  } catch (error) {
    assert.ok(error instanceof ForstError, String(error));
    return [error, found];
  }
  return assert.fail("the stream ended as if all were well");
}

export async function figure(name: string): Promise<number> {
  const text = await (await fetch(`${FORST_URL}/metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(name));
  return Number(line?.split(" ").at(-1) ?? 0);
}

export const collect = garbageCollector();

function garbageCollector(): () => void {
  const { Bun: bun } = globalThis as { Bun?: { gc(isFull: boolean): void } };
  if (bun) return () => bun.gc(true);
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; !(await holds()); round++) {
    assert.ok(round < 3_000, "it does not happen");
    await sleep(20);
  }
}

export function stream(
  records: AsyncIterable<StreamingRecord> | Iterable<StreamingRecord>,
  options: StreamOptions = {},
): ResultStream<ProcessedRecord | InvalidLine> {
  return client.streamToForst(ENDPOINT, records, options);
}

/** Run something, and return what it passed to `console.warn`. */
export async function warnings(run: () => Promise<unknown>): Promise<string[]> {
  const { warn } = console;
  const found: string[] = [];
  console.warn = (text: string) => found.push(text);
  try {
    await run();
  } finally {
    console.warn = warn;
  }
  return found;
}

/** Start a server that calls `serve` with each connection and its number. */
export async function listen(
  serve: (socket: Socket, number: number) => void,
): Promise<[string, Server]> {
  let number = 0;
  const server = createServer((socket) => serve(socket.on("error", () => {}), ++number));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return [`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server];
}

/** A forstcore server that belongs to one test. */
export class OwnServer {
  readonly process: ChildProcess;
  readonly url: string;

  constructor(process: ChildProcess, url: string) {
    this.process = process;
    this.url = url;
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }
}

const servers: ChildProcess[] = [];
after(() => servers.forEach((server) => server.kill("SIGKILL")));

/** Start a forstcore server; it is killed after the tests. */
export async function startServer(options: string[] = [], env = {}): Promise<OwnServer> {
  const always = ["--heartbeat", "0.1", "--stall", "60", "--no-access-log"];
  const port = options.includes("--unix-socket") ? [] : ["--port", "0"];
  const command = ["-m", "forstcore", "serve", ...port, ...always, ...options];
  const server = spawn(FORST_PYTHON, command, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  servers.push(server);
  let text = "";
  for await (const part of server.stdout) {
    text += part;
    const found = /listens on (\S+)\n/.exec(text)?.[1];
    if (found) return new OwnServer(server, found);
  }
  return assert.fail(`the server has ended; it said: ${text}`);
}
