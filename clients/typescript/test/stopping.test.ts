/** Streams that end early: by their caller or their producer. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { ForstStreamingClient, type StreamingRecord } from "forstcore";

import {
  all,
  client,
  collect,
  Endless,
  ENDPOINT,
  figure,
  Queue,
  record,
  result,
  startServer,
  stream,
  until,
} from "./support.js";

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

test("a stream that is abandoned after its first result is freed", async () => {
  function* records(): Generator<StreamingRecord> {
    yield record(1);
  }
  async function first(): Promise<WeakRef<object>> {
    const input = records();
    const results = stream(input, { timeoutMs: 200 });
    assert.deepEqual((await results.next()).value, result(1));
    return new WeakRef(input);
  }
  const input = await first();
  await until(() => {
    collect();
    return input.deref() === undefined;
  });
});

test("abort before there is a response", async () => {
  const server = await startServer();
  server.kill("SIGSTOP");
  const abort = new AbortController();
  const own = new ForstStreamingClient(server.url);
  const next = all(own.streamToForst(ENDPOINT, [record(1)], { signal: abort.signal }));
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
  const server = await startServer();
  const own = new ForstStreamingClient(server.url);
  const broken = new RangeError("broken");
  async function* records(): AsyncGenerator<StreamingRecord> {
    yield record(0);
    await sleep(100);
    server.kill("SIGSTOP");
    yield record(1);
    await sleep(100);
    throw broken;
  }
  await assert.rejects(all(own.streamToForst(ENDPOINT, records())), (error) => error === broken);
});

test("a record that cannot be written as JSON", async () => {
  const records = new Queue<StreamingRecord>();
  records.put({ id: 1n } as unknown as StreamingRecord);
  await assert.rejects(all(stream(records)), TypeError);
  assert.equal(records.returned, 1);
});

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

test("one signal ends any number of streams, and its listener goes with them", async () => {
  const counted = new AbortController();
  const { signal } = counted;
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...values: unknown[]) => {
    listeners++;
    addEventListener.apply(signal, values as Parameters<typeof addEventListener>);
  };
  signal.removeEventListener = (...values: unknown[]) => {
    listeners--;
    removeEventListener.apply(signal, values as Parameters<typeof removeEventListener>);
  };
  const streams = Array.from({ length: 30 }, () => stream(new Endless(5), { signal }));
  await Promise.all(streams.map((one) => one.next()));
  assert.equal(listeners, 1); // Node warns of more than ten.
  await Promise.all(streams.slice(1).map((one) => one.return()));
  assert.equal(listeners, 1);
  const reason = new Error("enough");
  setTimeout(() => counted.abort(reason), 20);
  await assert.rejects(all(streams[0]!), (error) => error === reason);
  assert.equal(listeners, 0);
});

test("leaving a stream before it has started closes its producer", async () => {
  const leave = {
    results: (input: Readable) => client.streamToForst(ENDPOINT, input).return(),
    batches: (input: Readable) => client.streamToForst(ENDPOINT, input).batches().return?.(),
    bytes: (input: Readable) => {
      const body = client.processStreamingData(ENDPOINT, input);
      return (body as ReadableStream<Uint8Array>).cancel();
    },
    "bytes, by an iterator": (input: Readable) =>
      client.processStreamingData(ENDPOINT, input)[Symbol.asyncIterator]().return?.(),
    "a signal": (input: Readable) =>
      assert.rejects(all(client.streamToForst(ENDPOINT, input, { signal: AbortSignal.abort() }))),
  };
  for (const [name, run] of Object.entries(leave)) {
    const file = createReadStream(fileURLToPath(import.meta.url));
    await run(file);
    assert.ok(file.destroyed, name);
    const queue = new Queue<StreamingRecord>();
    await run(queue as unknown as Readable);
    assert.equal(queue.returned, 1, name);
  }
});
