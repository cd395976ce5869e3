/**
 * Tests of the client against a real server; tests/examples/test_node.py runs each by its name.
 *
 * FORST_URL and FORST_PID are the server's, which sends a heartbeat every 100 ms.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import {
  createServer as createHttpServer,
  request,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import {
  ForstError,
  ForstStreamingClient,
  StreamingIntegration,
  isInvalidLine,
  type Input,
  type Result,
  type StreamingRecord,
  type StreamOptions,
  type Summary,
} from "./forst-client.js";

const { FORST_URL = "", FORST_PID = "" } = process.env;
const ENDPOINT = "/streaming-process";
const client = new ForstStreamingClient(FORST_URL);

function record(id: number, data = "x"): StreamingRecord {
  return { id: `${id}`, data };
}

function result(id: number, data = "x"): Result {
  return { id: `${id}`, result: `processed_${data}`, status: "success" };
}

/** An endless producer; `produced` counts records, `returned` counts calls of `return()`. */
class Endless implements AsyncIterable<StreamingRecord> {
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
class Queue<T> implements AsyncIterableIterator<T> {
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

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Read until the stream fails; return the error and the results before it. */
async function failed<T>(items: AsyncIterable<T>): Promise<[ForstError, T[]]> {
  const found: T[] = [];
  try {
    for await (const item of items) found.push(item);
  } catch (error) {
    assert.ok(error instanceof ForstError, String(error));
    return [error, found];
  }
  return assert.fail("the stream ended as if all were well");
}

async function figure(name: string): Promise<number> {
  const text = await (await fetch(`${FORST_URL}/metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(name));
  return Number(line?.split(" ").at(-1) ?? 0);
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; !(await holds()); round++) {
    assert.ok(round < 500, "it does not happen");
    await sleep(20);
  }
}

function stream(
  records: AsyncIterable<StreamingRecord> | Iterable<StreamingRecord>,
  options?: StreamOptions,
): AsyncGenerator<Result, void> {
  return client.streamToForst(ENDPOINT, records, options);
}

// Results.

test("every record comes back in order", async () => {
  async function* records(): AsyncGenerator<StreamingRecord> {
    for (let id = 0; id < 50_000; id++) yield record(id);
  }
  let summary: Summary | undefined;
  const results = await all(stream(records(), { onEnd: (counts) => (summary = counts) }));
  assert.deepEqual(results, Array.from({ length: 50_000 }, (_, id) => result(id)));
  assert.equal(summary?.lines, 50_000);
  assert.equal(summary?.results, 50_000);
});

test("lines and characters may be split anywhere by the network", async () => {
  const data = "Grüße aus dem Forst 🌲 ".repeat(4_000);
  const records = Array.from({ length: 200 }, (_, id) => record(id, data));
  const cut: Result[] = [];
  for await (const one of stream(records, { chunkSize: 1_000 })) cut.push(one);
  assert.deepEqual(cut, records.map((_, id) => result(id, data)));
});

test("an empty stream succeeds", async () => {
  let summary: Summary | undefined;
  assert.deepEqual(await all(stream([], { onEnd: (counts) => (summary = counts) })), []);
  assert.equal(summary?.lines, 0);
});

test("each result arrives before the next record is produced", async () => {
  const records = new Queue<StreamingRecord>();
  const results = stream(records);
  for (let id = 0; id < 20; id++) {
    const next = results.next();
    await sleep(id % 3);
    records.put(record(id));
    assert.deepEqual((await next).value, result(id));
  }
  await results.return();
  assert.equal(records.returned, 1);
});

test("several streams at once", async () => {
  const counts = await Promise.all(
    Array.from({ length: 20 }, async (_, number) => {
      const records = Array.from({ length: 100 * number }, (_, id) => record(id, `${number}`));
      const results = await all(stream(records));
      assert.deepEqual(results, records.map((_, id) => result(id, `${number}`)));
      return results.length;
    }),
  );
  assert.equal(counts.reduce((sum, count) => sum + count), 19_000);
});

test("the producer is read at the speed of the server", async () => {
  const records = new Endless(0, "x".repeat(1_000));
  const results = stream(records);
  await results.next();
  let before = 0;
  await until(async () => {
    const same = records.produced === before;
    before = records.produced;
    await sleep(200);
    return same;
  });
  // The capacity of the buffers on both sides of the connection.
  assert.ok(records.produced < 40_000, `${records.produced} records`);
  await results.return();
  assert.equal(records.returned, 1);
});

// Invalid lines.

const INVALID = [record(1), { id: 7 } as unknown as StreamingRecord, record(3)];

test("skip counts invalid lines", async () => {
  let summary: Summary | undefined;
  const results = await all(stream(INVALID, { onEnd: (counts) => (summary = counts) }));
  assert.deepEqual(results, [result(1), result(3)]);
  assert.deepEqual([summary?.lines, summary?.errors, summary?.results], [3, 1, 2]);
});

test("emit puts an error in the place of an invalid line", async () => {
  const [first, error, last] = await all(stream(INVALID, { onError: "emit" }));
  assert.deepEqual([first, last], [result(1), result(3)]);
  assert.ok(first && error && last);
  assert.deepEqual([first, error, last].map(isInvalidLine), [false, true, false]);
  assert.ok(isInvalidLine(error));
  assert.deepEqual([error.line, error.offset, error.code], [2, 6, "wrong_type"]);
  assert.ok(!isInvalidLine({ ...error }), "by the mark, not by the members");
});

test("fail ends the stream during the upload", async () => {
  const rest = new Endless();
  async function* records(): AsyncGenerator<StreamingRecord> {
    yield* INVALID;
    yield* rest;
  }
  const [error, results] = await failed(stream(records(), { onError: "fail" }));
  assert.deepEqual([error.code, error.status, error.lines], ["bad_record", 422, 2]);
  assert.deepEqual(results[0], result(1));
  assert.equal(results[1]?.status, "error");
  assert.equal(results.length, 2);
  await until(() => rest.returned === 1 || rest.produced === 0);
});

// Stopping early.

test("break ends the upload and the producer", async () => {
  const records = new Endless(1);
  for await (const one of stream(records)) {
    assert.deepEqual(one, result(1));
    break;
  }
  await until(() => records.returned === 1);
  await until(async () => (await figure("forstcore_streams_open")) === 0);
});

test("break waits for the return of the producer", async () => {
  let cleaned = false;
  function* records(): Generator<StreamingRecord> {
    try {
      for (let id = 1; ; id++) yield record(id);
    } finally {
      cleaned = true;
    }
  }
  for await (const one of stream(records())) {
    assert.deepEqual(one, result(1));
    break;
  }
  assert.ok(cleaned);
});

test("abort while waiting for a result", async () => {
  const records = new Queue<StreamingRecord>();
  const abort = new AbortController();
  const results = stream(records, { signal: abort.signal });
  records.put(record(1));
  assert.deepEqual((await results.next()).value, result(1));
  const reason = new Error("enough");
  setTimeout(() => abort.abort(reason), 50);
  await assert.rejects(results.next(), (error) => error === reason);
  assert.equal(records.returned, 1);
  await until(async () => (await figure("forstcore_streams_open")) === 0);
});

test("abort and break after a garbage collection", async () => {
  for (const way of ["abort", "break"]) {
    const abort = new AbortController();
    const records = new Endless();
    const results = stream(records, { signal: abort.signal });
    await results.next();
    for (let round = 0; round < 5; round++) {
      await sleep(50);
      collect();
    }
    await until(async () => (await figure("forstcore_streams_open")) === 1);
    if (way === "abort") abort.abort();
    else await results.return();
    await until(async () => (await figure("forstcore_streams_open")) === 0);
    assert.equal(records.returned, 1);
  }
});

test("abort before there is a response", async () => {
  process.kill(Number(FORST_PID), "SIGSTOP");
  const abort = new AbortController();
  const next = all(stream([record(1)], { signal: abort.signal }));
  await sleep(100);
  collect();
  setTimeout(() => abort.abort(), 100);
  await assert.rejects(next, { name: "AbortError" });
});

test("abort before there is a record", async () => {
  const records = new Queue<StreamingRecord>();
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 50);
  await assert.rejects(all(stream(records, { signal: abort.signal })), { name: "AbortError" });
  assert.equal(records.returned, 1);
});

test("abort before the start", async () => {
  const records = new Endless();
  const signal = AbortSignal.abort(new Error("never"));
  await assert.rejects(all(stream(records, { signal })), { message: "never" });
  assert.equal(records.produced, 0);
});

// Failing producers.

async function throwsAfter(count: number, pauseMs: number): Promise<void> {
  const broken = new RangeError("broken");
  async function* records(): AsyncGenerator<StreamingRecord> {
    for (let id = 0; id < count; id++) yield record(id);
    await sleep(pauseMs);
    throw broken;
  }
  await assert.rejects(all(stream(records())), (error) => error === broken);
  await until(async () => (await figure("forstcore_streams_open")) === 0);
}

test("a producer that throws at once", () => throwsAfter(0, 0));

test("a producer that throws while its results are awaited", () => throwsAfter(1, 100));

test("a producer that throws after many records", () => throwsAfter(30_000, 0));

test("a producer that throws while the server reads nothing", async () => {
  const broken = new RangeError("broken");
  let thrown = false;
  async function* records(): AsyncGenerator<StreamingRecord> {
    yield record(0);
    await sleep(100);
    // One chunk that is larger than the socket buffers, so that no further one is pulled.
    process.kill(Number(FORST_PID), "SIGSTOP");
    for (let id = 1; id <= 20_000; id++) yield record(id, "x".repeat(1_000));
    await sleep(300);
    thrown = true;
    throw broken;
  }
  const next = all(stream(records(), { chunkSize: 1 << 25 }));
  next.catch(() => {});
  await until(() => thrown);
  await sleep(100);
  process.kill(Number(FORST_PID), "SIGCONT");
  await assert.rejects(next, (error) => error === broken);
});

test("a record that cannot be written as JSON", async () => {
  const records = new Queue<StreamingRecord>();
  records.put({ id: 1n } as unknown as StreamingRecord);
  await assert.rejects(all(stream(records)), TypeError);
  assert.equal(records.returned, 1);
});

// Failing servers.

test("a refused request", async () => {
  const records = new Endless();
  const [error] = await failed(client.streamToForst("/nowhere", records));
  assert.deepEqual([error.code, error.status], ["refused", 404]);
  assert.match(error.detail, /POST \/streaming-process/);
  await until(() => records.returned === 1);
});

test("a token", async () => {
  const [error] = await failed(stream([record(1)]));
  assert.equal(error.status, 401);
  const token = process.env["FORSTCORE_TOKEN"] ?? "";
  const trusted = new ForstStreamingClient(FORST_URL, { token });
  assert.deepEqual(await all(trusted.streamToForst(ENDPOINT, [record(1)])), [result(1)]);
});

test("a server that is not running", async () => {
  const nobody = new ForstStreamingClient("http://127.0.0.1:1/");
  const records = new Endless();
  const [error] = await failed(nobody.streamToForst(ENDPOINT, records));
  assert.equal(error.code, "unreachable");
  assert.equal(records.returned, 1);
});

test("a server that dies", async () => {
  const records = new Queue<StreamingRecord>();
  const results = stream(records);
  records.put(record(1));
  assert.deepEqual((await results.next()).value, result(1));
  // The acknowledgement follows the result, or comes with the next heartbeat.
  const next = failed(results);
  await sleep(300);
  process.kill(Number(FORST_PID), "SIGKILL");
  const [error, rest] = await next;
  assert.deepEqual([error.code, error.lines, rest], ["cut", 1, []]);
  assert.equal(records.returned, 1);
});

test("a server that is shutting down", async () => {
  const records = new Endless(5);
  const results = stream(records);
  const first = (await results.next()).value;
  assert.deepEqual(first, result(1));
  process.kill(Number(FORST_PID), "SIGTERM");
  const [error, rest] = await failed(results);
  assert.deepEqual([error.code, error.status], ["draining", 503]);
  assert.equal(error.lines, rest.length + 1);
});

test("a server that hangs", async () => {
  const records = new Queue<StreamingRecord>();
  const results = stream(records, { timeoutMs: 700 });
  records.put(record(1));
  assert.deepEqual((await results.next()).value, result(1));
  const next = failed(results);
  // Longer than the timeout; heartbeats keep the stream alive.
  await sleep(1_000);
  records.put(record(2));
  await sleep(300);
  process.kill(Number(FORST_PID), "SIGSTOP");
  const [error, rest] = await next;
  assert.deepEqual([error.code, error.lines, rest], ["timeout", 2, [result(2)]]);
});

test("a live source that does not exist", async () => {
  const integration = new StreamingIntegration(client);
  const [error] = await failed(integration.processRealTimeData({ source: "nobody", filters: {} }));
  assert.ok(error.status === 404, error.message);
  assert.ok(error.detail);
});

test("a large data set", async () => {
  const integration = new StreamingIntegration(client);
  const records = Array.from({ length: 1_000 }, (_, id) => record(id));
  const results = await all(integration.processLargeDataset(records));
  assert.deepEqual(results, records.map((_, id) => result(id)));
});

// Bytes.

const LINE = '{"id":"1","data":"🌲"}\n';
const PROCESSED = '{"id":"1","result":"processed_🌲","status":"success"}\n';

test("bytes and text are sent unchanged", async () => {
  const bytes = Buffer.from(LINE.repeat(1_000));
  async function* pieces(): AsyncGenerator<Uint8Array | string> {
    for (let start = 0; start < bytes.length; start += 7) yield bytes.subarray(start, start + 7);
    yield "";
    yield LINE;
  }
  const body = await all(client.processStreamingData(ENDPOINT, pieces()));
  assert.equal(Buffer.concat(body).toString(), PROCESSED.repeat(1_001));
});

test("a stream of bytes is sent", async () => {
  const input = new Blob([LINE.repeat(100_000)]).stream();
  const body = await all(client.processStreamingData(ENDPOINT, input));
  assert.equal(Buffer.concat(body).toString(), PROCESSED.repeat(100_000));
});

test("a cut response fails", async () => {
  const input = [LINE, "junk\n"];
  const [error, body] = await failed(
    client.processStreamingData(ENDPOINT, input, { onError: "fail" }),
  );
  assert.equal(error.code, "bad_record");
  assert.ok(Buffer.concat(body).toString().startsWith(PROCESSED));
});

test("a refused request for bytes", async () => {
  const [error] = await failed(client.processStreamingData("/nowhere", [LINE]));
  assert.equal(error.status, 404);
});

test("cancelling the response ends the upload", async () => {
  const input = new Queue<string>();
  const reader = client.processStreamingData(ENDPOINT, input).getReader();
  input.put(LINE);
  assert.equal(Buffer.from((await reader.read()).value ?? []).toString(), PROCESSED);
  const next = reader.read();
  await sleep(50);
  await reader.cancel();
  assert.equal((await next).done, true);
  assert.equal(input.returned, 1);
  await until(async () => (await figure("forstcore_streams_open")) === 0);
});

// Input.

const THREE = [record(1), record(2), record(3)];
const NDJSON = THREE.map((one) => `${JSON.stringify(one)}\n`).join("");

function web<T>(items: T[]): ReadableStream<T> {
  return Readable.toWeb(Readable.from(items)) as ReadableStream<T>;
}

test("every kind of input is sent completely", async () => {
  const bytes = Buffer.from(NDJSON);
  const cut = [bytes.subarray(0, 10), bytes.subarray(10, 11), bytes.subarray(11)];
  const inputs: Record<string, () => Input> = {
    "a list of records": () => THREE,
    "a set of records": () => new Set(THREE),
    "a list of promises": () => THREE.map((one) => Promise.resolve(one)) as unknown as Input,
    "a generator": () => THREE.values(),
    "a stream of records": () => Readable.from(THREE),
    "a web stream of records": () => web(THREE) as unknown as Input,
    "records with a prototype": () => THREE.map((one) => Object.assign(new Endless(), one)),
    text: () => NDJSON,
    "text without the last LF": () => NDJSON.trimEnd(),
    "text with CR LF and a byte order mark": () => `\ufeff${NDJSON.replaceAll("\n", "\r\n")}`,
    "text with blank lines": () => `\n${NDJSON.replaceAll("\n", "\n \n")}`,
    "pieces of text": () => [...NDJSON],
    "a stream of text": () => Readable.from([...NDJSON]),
    bytes: () => bytes,
    "an ArrayBuffer": () => new Uint8Array(bytes).buffer,
    "a Uint8Array": () => new Uint8Array(bytes),
    "a Blob": () => new Blob([NDJSON]),
    "pieces of bytes": () => cut,
    "a stream of bytes": () => Readable.from(cut, { objectMode: false }),
    "a stream of bytes that is paused": () => Readable.from(cut).pipe(new PassThrough()),
    "a web stream of bytes": () => web(cut) as unknown as Input,
    "the body of a response": () => new Response(NDJSON).body as unknown as Input,
    "text and bytes": () => [cut[0]!, cut[1]!, cut[2]!.toString()],
  };
  const expected = THREE.map((_, index) => result(index + 1));
  for (const [name, input] of Object.entries(inputs)) {
    assert.deepEqual(await all(client.streamToForst(ENDPOINT, input())), expected, name);
    const body = await all(client.processStreamingData(ENDPOINT, input()));
    const lines = Buffer.concat(body).toString().trimEnd().split("\n");
    assert.deepEqual(lines.map((line) => JSON.parse(line) as Result), expected, name);
  }
});

test("an error for unsendable input names the record", async () => {
  const loop: Record<string, unknown> = { id: "1" };
  loop["self"] = loop;
  const inputs: Record<string, [unknown, RegExp]> = {
    undefined: [undefined, /not undefined$/],
    "one record": [record(1), /not a Object$/],
    "a number": [7, /not a number$/],
    "a response": [new Response("x"), /not a Response$/],
    "no record": [[record(1), undefined], /^record 2 is undefined, not an object$/],
    null: [[null], /^record 1 is null/],
    "a list in a list": [[record(1), record(2), THREE], /^record 3 is a Array, not an object$/],
    "a Map": [[new Map([["id", "1"]])], /^record 1 is a Map, empty as JSON$/],
    "a Date": [[new Date()], /^record 1 is a Date, not an object$/],
    "a function": [[() => record(1)], /^record 1 is a function/],
    "a BigInt": [[record(1), { id: 1n }], /^record 2 cannot be written as JSON: .*BigInt/],
    "a loop": [[loop], /^record 1 cannot be written as JSON: .*circular/],
    NaN: [[record(1), { id: "2", data: NaN }], /^record 2 has NaN at data, which/],
    "infinity inside": [[{ a: [{ b: [1, Infinity] }] }], /^record 1 has Infinity at a\.0\.b\.1/],
    "undefined in a list": [[{ a: [undefined] }], /^record 1 has undefined at a\.0/],
    "text after records": [[record(1), NDJSON], /^records cannot be followed by a string \(item 2\)$/],
    "records after text": [[NDJSON, record(1)], /^NDJSON cannot be followed by a Object \(item 2\)$/],
    "half a character": [["\udf32"], /^item 1: half a character/],
    "half a character at the end": [[NDJSON, "\ud83c"], /^item 2: half a character/],
    "half a character before bytes": [["\ud83c", Buffer.from(NDJSON)], /half a character/],
    "a list of numbers": [new Float64Array([1]), /^record 1 is a number/],
  };
  for (const [name, [input, message]] of Object.entries(inputs)) {
    const run = async () => all(stream(input as StreamingRecord[]));
    await assert.rejects(run, { name: "TypeError", message }, name);
    const bytes = async () => all(client.processStreamingData(ENDPOINT, input as Input));
    await assert.rejects(bytes, { name: "TypeError", message }, name);
  }
  // Values that JSON can express as null are valid.
  const data = [{ id: null, data: null }, { id: "null" }, { id: "1", data: undefined }];
  assert.equal((await all(stream(data as StreamingRecord[]))).length, 3);
});

test("a stream that was already read is an error", async () => {
  const readable = Readable.from(THREE);
  await all(readable);
  const request = new Request("http://127.0.0.1/", { method: "POST", body: NDJSON });
  await request.text();
  const given = web(THREE);
  await all(given);
  const destroyed = Readable.from(THREE);
  destroyed.destroy();
  for (const input of [readable, request.body, given, destroyed]) {
    await assert.rejects(async () => all(stream(input as unknown as StreamingRecord[])));
  }
});

test("a character may be split between chunks of text", async () => {
  const text = `${JSON.stringify(record(1, "🌲é".repeat(50)))}\n`;
  for (const pause of [false, true]) {
    async function* pieces(): AsyncGenerator<string> {
      for (let at = 0; at < text.length; at++) {
        yield text[at]!;
        if (pause) await sleep(0);
      }
    }
    const found = await all(client.streamToForst(ENDPOINT, pieces()));
    assert.deepEqual(found, [result(1, "🌲é".repeat(50))]);
  }
});

test("a producer may reuse its buffer", async () => {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.alloc(64);
    for (let id = 100; id < 200; id++) {
      yield buffer.subarray(0, buffer.write(`${JSON.stringify(record(id))}\n`));
      if (id % 7 === 0) await sleep(0);
    }
  }
  const found = await all(client.streamToForst(ENDPOINT, pieces()));
  assert.deepEqual(found, Array.from({ length: 100 }, (_, index) => result(100 + index)));
});

test("a rejected promise ends the producer", async () => {
  const broken = new RangeError("broken");
  let cleaned = false;
  function* records(): Generator<Promise<StreamingRecord>> {
    try {
      yield Promise.resolve(record(1));
      yield Promise.reject(broken);
    } finally {
      cleaned = true;
    }
  }
  const input = records() as unknown as StreamingRecord[];
  await assert.rejects(all(stream(input)), (error) => error === broken);
  assert.ok(cleaned);
});

test("input without any valid record is an error", async () => {
  const bad = [{ id: 7 }, { id: 8 }] as unknown as StreamingRecord[];
  let ended = 0;
  const onEnd = () => ended++;
  for (const endpoint of [ENDPOINT, "/large-dataset-stream"]) {
    const [error] = await failed(client.streamToForst(endpoint, bad, { onEnd }));
    assert.deepEqual([error.code, error.lines], ["no_records", 2]);
    assert.match(error.detail, /^not one of 2 lines was a record \(wrong_type: 2\)/);
    const [same] = await failed(client.processStreamingData(endpoint, '[{"id":"1"}]', { onEnd }));
    assert.match(same.detail, /^not one of 1 lines was a record \(not_an_object: 1\)/);
  }
  const text = ['{"id":"1"}', '{"id":"2"}'];
  const [error] = await failed(client.streamToForst(ENDPOINT, text));
  assert.match(error.detail, /invalid_json: 1/);
  assert.equal(ended, 0);
  assert.equal((await all(stream(bad, { onError: "emit" }))).length, 2);
  const headers = { "Forst-Filter": '{"id":"9"}' };
  assert.deepEqual(await all(stream([...THREE, ...bad], { headers, onEnd })), []);
  assert.deepEqual(await all(client.streamToForst(ENDPOINT, "\n\n", { onEnd })), []);
  assert.equal(ended, 2);
});

async function warnings(run: () => Promise<unknown>): Promise<string[]> {
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

test("rejected lines are logged unless the caller asks for them", async () => {
  const logged = ["forstcore: 1 of 3 lines were rejected, see onError"];
  assert.deepEqual(await warnings(() => all(stream(INVALID))), logged);
  const input = INVALID.map((one) => `${JSON.stringify(one)}\n`);
  assert.deepEqual(await warnings(() => all(client.processStreamingData(ENDPOINT, input))), logged);
  assert.deepEqual(await warnings(() => all(stream(INVALID, { onError: "skip" }))), []);
  assert.deepEqual(await warnings(() => all(stream(INVALID, { onEnd: () => {} }))), []);
  assert.deepEqual(await warnings(() => all(stream(THREE))), []);
});

test("fail reports the line and the reason", async () => {
  const input = INVALID.map((one) => `${JSON.stringify(one)}\n`);
  for (const items of [
    stream(INVALID, { onError: "fail" }),
    client.processStreamingData(ENDPOINT, input, { onError: "fail" }),
    client.processStreamingData(ENDPOINT, input, { headers: { "Forst-On-Error": "fail" } }),
  ] as AsyncIterable<unknown>[]) {
    const [error] = await failed(items);
    assert.deepEqual([error.code, error.status], ["bad_record", 422]);
    assert.match(error.message, /^line 2, byte 6: member 'id' must be .* \(wrong_type\)/);
    const { line, offset, code } = error.invalid!;
    assert.deepEqual([line, offset, code], [2, 6, "wrong_type"]);
  }
});

test("control lines are removed from bytes", async () => {
  const data = "🌲".repeat(300);
  async function* pieces(): AsyncGenerator<string> {
    for (let id = 0; id < 3_000; id++) {
      yield `${JSON.stringify(record(id, data))}\n`;
      if (id % 10 === 0) await sleep(0);
    }
  }
  const body = await all(client.processStreamingData(ENDPOINT, pieces(), { chunkSize: 777 }));
  const lines = Buffer.concat(body).toString().trimEnd().split("\n");
  const expected = Array.from({ length: 3_000 }, (_, id) => result(id, data));
  assert.deepEqual(lines.map((line) => JSON.parse(line) as Result), expected);
  const headers = { "Forst-Frames": "1" };
  const raw = await all(client.processStreamingData(ENDPOINT, LINE, { headers }));
  assert.match(Buffer.concat(raw).toString(), /^\{.*\}\n:ack 1\n:end \{.*\}\n$/);
});

// Connections.

/** Start a server that calls `serve` with each connection and its number. */
async function listen(serve: (socket: Socket, number: number) => void): Promise<[string, Server]> {
  let number = 0;
  const server = createServer((socket) => serve(socket.on("error", () => {}), ++number));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return [`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server];
}

function answer(...lines: string[]): string {
  const body = lines.map((line) => `${line}\n`).join("");
  return `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const END = `:end {"lines":1,"records":1,"errors":0,"results":1,"bytes_in":22,"bytes_out":53}`;
const ONE = [`{"id":"1","result":"processed_x","status":"success"}`, ":ack 1"];

/** Call back at the end of each chunked request. */
function onRequest(socket: Socket, call: (text: string) => void): void {
  let text = "";
  socket.on("data", (data) => {
    text += data.toString();
    if (!text.endsWith("0\r\n\r\n")) return;
    const whole = text;
    text = "";
    call(whole);
  });
}

test("a request on a closed connection is retried on a new one", async () => {
  const bodies: string[] = [];
  const [url, server] = await listen((socket, number) => {
    let requests = 0;
    socket.on("data", () => {
      // Reset the connection at its second request.
      if (number < 4 && requests === 1) socket.resetAndDestroy();
    });
    onRequest(socket, (text) => {
      if (socket.destroyed) return;
      requests++;
      bodies.push(text);
      socket.write(answer(...ONE, END));
    });
  });
  const own = new ForstStreamingClient(url);
  for (let round = 0; round < 6; round++) {
    assert.deepEqual(await all(own.streamToForst(ENDPOINT, [record(1)])), [result(1)]);
  }
  assert.equal(bodies.length, 6);
  for (const body of bodies) assert.match(body, /\{"id":"1","data":"x"\}\n/);
  server.close();
});

test("a started request is not sent again", async () => {
  let connections = 0;
  const [url, server] = await listen((socket, number) => {
    connections = number;
    socket.on("data", () => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      setTimeout(() => socket.resetAndDestroy(), 20);
    });
  });
  const own = new ForstStreamingClient(url);
  const [error] = await failed(own.streamToForst(ENDPOINT, [record(1)]));
  assert.deepEqual([error.code, connections], ["cut", 1]);
  server.close();
});

test("retries end if the server closes every connection", async () => {
  let connections = 0;
  const [url, server] = await listen((socket, number) => {
    connections = number;
    socket.on("data", () => socket.resetAndDestroy());
  });
  const records = new Endless();
  const [error] = await failed(new ForstStreamingClient(url).streamToForst(ENDPOINT, records));
  assert.equal(error.code, "unreachable");
  assert.ok(connections <= 3);
  assert.equal(records.returned, 1);
  server.close();
});

test("an incomplete response is an error", async () => {
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const ends: Record<string, [string, string]> = {
    "half-closed": [`${chunked}36\r\n${ONE[0]}\n\r\n`, "cut"],
    "ended without :end": [answer(...ONE), "cut"],
    "fewer results": [answer(ONE[1]!, END), "corrupt"],
    "fewer lines arrived": [answer(...ONE, END.replace("22", "0")), "corrupt"],
  };
  for (const [name, [text, code]] of Object.entries(ends)) {
    const [url, server] = await listen((socket) => onRequest(socket, () => socket.end(text)));
    const own = new ForstStreamingClient(url);
    const [error] = await failed(own.streamToForst(ENDPOINT, [record(1)]));
    assert.equal(error.code, code, name);
    const [same] = await failed(own.processStreamingData(ENDPOINT, [record(1)]));
    assert.equal(same.code, code, name);
    server.close();
  }
});

test("a response that is not a stream is reported", async () => {
  const [url, server] = await listen((socket) => {
    onRequest(socket, () => socket.write(answer("<!doctype html>", "<title>", "</title>")));
  });
  const own = new ForstStreamingClient(url);
  const [error] = await failed(own.streamToForst(ENDPOINT, [record(1)]));
  assert.deepEqual([error.code, error.detail], ["protocol", "this is not a result: <!doctype html>"]);
  const [same] = await failed(own.processStreamingData(ENDPOINT, [record(1)]));
  assert.equal(same.code, "cut");
  server.close();
});

test("options that would send nothing are rejected", async () => {
  for (const chunkSize of [0, -1, NaN]) {
    assert.throws(() => stream([record(1)], { chunkSize }), RangeError);
  }
  assert.throws(() => stream([record(1)], { timeoutMs: NaN }), RangeError);
  for (const timeoutMs of [0, Infinity, 2 ** 40]) {
    const results = await all(stream([record(1)], { timeoutMs, chunkSize: 1 }));
    assert.deepEqual(results, [result(1)]);
  }
});

test("a live stream reports missed records", async () => {
  const lines = [":missed 5", ONE[0]!, ":offset a", ":ack 1", ":missed ?", END];
  const [url, server] = await listen((socket) => {
    onRequest(socket, () => socket.write(answer(...lines)));
  });
  const integration = new StreamingIntegration(new ForstStreamingClient(url));
  const missed: (number | undefined)[] = [];
  const options = { onMissed: (count: number | undefined) => missed.push(count) };
  const found = await all(integration.processRealTimeData({ source: "events" }, options));
  assert.deepEqual([found, missed], [[result(1)], [5, undefined]]);
  const logged = await warnings(() => all(integration.processRealTimeData({ source: "events" })));
  assert.deepEqual(
    logged,
    ["5", "some"].map((count) => `forstcore: ${count} records of a live stream were missed`),
  );
  server.close();
});

// Forwarding in a web application.

test("a request whose body was already read is refused", async () => {
  const integration = new StreamingIntegration(client);
  for (const [name, read] of Object.entries({
    "to its end": async (request: IncomingMessage): Promise<unknown> => all(request),
    "in part": async (request: IncomingMessage): Promise<unknown> => once(request, "data"),
  })) {
    const server = createHttpServer((request, response) => {
      void read(request).then(() => integration.handleStreamingRequest(request, response));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: NDJSON });
    assert.equal(response.status, 500, name);
    const { code, detail } = (await response.json()) as { code: string; detail: string };
    assert.equal(code, "body_consumed", name);
    assert.match(detail, /body parser/);
    server.close();
    server.closeAllConnections();
  }
  const wrapped = { raw: {} } as unknown as IncomingMessage;
  const run = integration.handleStreamingRequest(wrapped, {} as unknown as ServerResponse);
  await assert.rejects(run, { name: "TypeError", message: /request\.raw/ });
});

test("the counts reach the client of a web application", async () => {
  const integration = new StreamingIntegration(client);
  const server = createHttpServer((request, response) => {
    void integration.handleStreamingRequest(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  async function post(body: string, headers = {}): Promise<[string, object]> {
    const sent = request({ port, method: "POST", headers });
    sent.end(body);
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    const text = Buffer.concat(await all(response as AsyncIterable<Buffer>)).toString();
    return [text, response.trailers];
  }
  const counts = (lines: number, records: number, errors: number) => ({
    "forst-lines": `${lines}`,
    "forst-records": `${records}`,
    "forst-errors": `${errors}`,
    "forst-results": `${records}`,
  });
  assert.deepEqual(await post("junk\n"), ["", counts(1, 0, 1)]);
  const [text, trailers] = await post(`${NDJSON}junk\n`, { TE: "trailers" });
  assert.equal(text.split("\n").length, 4);
  assert.deepEqual(trailers, counts(4, 3, 1));
  assert.deepEqual((await post(NDJSON))[1], {});
  const [framed] = await post("junk\n", { "Forst-Frames": "1" });
  assert.match(framed, /:end \{/);
  server.close();
  server.closeAllConnections();
});

// Cleanup.

test("no streams or timers remain", async () => {
  const abort = new AbortController();
  const { signal } = abort;
  const round = async () => {
    for await (const one of stream([record(1), record(2)], { signal })) {
      assert.equal(one.status, "success");
      if (Math.random() < 0.5) break;
    }
  };
  await round();
  await until(async () => (await figure("forstcore_streams_open")) === 0);
  const before = process.getActiveResourcesInfo().length;
  for (let number = 0; number < 200; number++) await round();
  await until(async () => (await figure("forstcore_streams_open")) === 0);
  await until(() => process.getActiveResourcesInfo().length <= before + 2);
  let followers = 0;
  signal.addEventListener("abort", () => followers++);
  const stopped = once(signal, "abort");
  abort.abort();
  await stopped;
  assert.equal(followers, 1);
});
