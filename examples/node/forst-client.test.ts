/**
 * Tests of the client against a real server; tests/examples/test_node.py runs each by its name.
 *
 * FORST_URL and FORST_PID are the server's, which sends a heartbeat every 100 ms.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import {
  ForstError,
  ForstStreamingClient,
  StreamingIntegration,
  isInvalidLine,
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

/** Records without end; `produced` counts them, `returned` how often the producer was ended. */
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

/** Items that are handed over one by one. */
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

/** Read until the stream fails; return the error, and what came before it. */
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

test("lines and characters may be cut anywhere by the network", async () => {
  const data = "Grüße aus dem Forst 🌲 ".repeat(4_000);
  const records = Array.from({ length: 200 }, (_, id) => record(id, data));
  const cut: Result[] = [];
  for await (const one of stream(records, { chunkSize: 1_000 })) cut.push(one);
  assert.deepEqual(cut, records.map((_, id) => result(id, data)));
});

test("an empty stream ends well", async () => {
  let summary: Summary | undefined;
  assert.deepEqual(await all(stream([], { onEnd: (counts) => (summary = counts) })), []);
  assert.equal(summary?.lines, 0);
});

test("each result comes before the next record is given", async () => {
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

test("no more is taken from the producer than the server takes", async () => {
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
  // What the buffers of two sockets and of their ends hold.
  assert.ok(records.produced < 40_000, `${records.produced} records`);
  await results.return();
  assert.equal(records.returned, 1);
});

// Invalid lines.

const INVALID = [record(1), { id: 7 } as unknown as StreamingRecord, record(3)];

test("skip counts what is no record", async () => {
  let summary: Summary | undefined;
  const results = await all(stream(INVALID, { onEnd: (counts) => (summary = counts) }));
  assert.deepEqual(results, [result(1), result(3)]);
  assert.deepEqual([summary?.lines, summary?.errors, summary?.results], [3, 1, 2]);
});

test("emit puts an error in the place of what is no record", async () => {
  const [first, error, last] = await all(stream(INVALID, { onError: "emit" }));
  assert.deepEqual([first, last], [result(1), result(3)]);
  assert.ok(first && error && last);
  assert.deepEqual([first, error, last].map(isInvalidLine), [false, true, false]);
  assert.ok(isInvalidLine(error));
  assert.deepEqual([error.line, error.offset, error.code], [2, 6, "wrong_type"]);
  assert.ok(!isInvalidLine({ ...error }), "by the mark, not by the members");
});

test("fail ends the stream while more is being sent", async () => {
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

// The caller stops.

test("break ends the upload and the producer", async () => {
  const records = new Endless(1);
  for await (const one of stream(records)) {
    assert.deepEqual(one, result(1));
    break;
  }
  await until(() => records.returned === 1);
  await until(async () => (await figure("forstcore_streams_open")) === 0);
});

test("a producer that can be ended is, before break goes on", async () => {
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

test("abort before there is an answer", async () => {
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

// The producer fails.

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

test("a producer that throws in full flight", () => throwsAfter(30_000, 0));

test("a producer that throws while the server takes nothing", async () => {
  const broken = new RangeError("broken");
  let thrown = false;
  async function* records(): AsyncGenerator<StreamingRecord> {
    yield record(0);
    await sleep(100);
    // More than the sockets hold, in one chunk: nobody asks for what comes behind it.
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

// The server fails.

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

test("a server that is not there", async () => {
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
  // Its acknowledgement is behind the result, or in the next heartbeat.
  const next = failed(results);
  await sleep(300);
  process.kill(Number(FORST_PID), "SIGKILL");
  const [error, rest] = await next;
  assert.deepEqual([error.code, error.lines, rest], ["cut", 1, []]);
  assert.equal(records.returned, 1);
});

test("a server that is going down", async () => {
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
  // Heartbeats keep it: this is longer than the time-out.
  await sleep(1_000);
  records.put(record(2));
  await sleep(300);
  process.kill(Number(FORST_PID), "SIGSTOP");
  const [error, rest] = await next;
  assert.deepEqual([error.code, error.lines, rest], ["timeout", 2, [result(2)]]);
});

test("a live source that is not there", async () => {
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

test("bytes and text go through as they are", async () => {
  const bytes = Buffer.from(LINE.repeat(1_000));
  async function* pieces(): AsyncGenerator<Uint8Array | string> {
    for (let start = 0; start < bytes.length; start += 7) yield bytes.subarray(start, start + 7);
    yield "";
    yield LINE;
  }
  const body = await all(client.processStreamingData(ENDPOINT, pieces()));
  assert.equal(Buffer.concat(body).toString(), PROCESSED.repeat(1_001));
});

test("a stream of bytes goes through", async () => {
  const input = new Blob([LINE.repeat(100_000)]).stream();
  const body = await all(client.processStreamingData(ENDPOINT, input));
  assert.equal(Buffer.concat(body).toString(), PROCESSED.repeat(100_000));
});

test("a cut response fails", async () => {
  const input = [LINE, "junk\n"];
  const [error, body] = await failed(
    client.processStreamingData(ENDPOINT, input, { onError: "fail" }),
  );
  assert.equal(error.code, "cut");
  // What fetch has not handed out when the connection is cut is lost.
  assert.ok(body.length === 0 || Buffer.concat(body).toString().startsWith(PROCESSED));
});

test("a refused request for bytes", async () => {
  const [error] = await failed(client.processStreamingData("/nowhere", [LINE]));
  assert.equal(error.status, 404);
});

test("who cancels the response ends the upload", async () => {
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

// What stays.

test("nothing is left behind", async () => {
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
