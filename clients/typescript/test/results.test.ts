/** Results, and what becomes of invalid lines. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import {
  ForstError,
  type ForstStreamingClient,
  isInvalidLine,
  type InvalidLine,
  type ProcessedRecord,
  StreamingIntegration,
  type StreamingRecord,
  type Summary,
} from "forstcore";

import { all, ENDPOINT, Endless, failed, Queue, record, result, stream, until, url } from "./support.js";

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
  const cut: (ProcessedRecord | InvalidLine)[] = [];
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
  // The capacity of the buffers on both sides of the connection; Bun has larger ones than Node.
  assert.ok(records.produced < 60_000, `${records.produced} records`);
  await results.return();
  assert.equal(records.returned, 1);
});

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
  assert.deepEqual(results, [result(1)]);
  assert.deepEqual([error.invalid?.line, error.invalid?.code], [2, "wrong_type"]);
  await until(() => rest.returned === 1 || rest.produced === 0);
});

test("batches after single results leave none out", async () => {
  const records = Array.from({ length: 2_000 }, (_, id) => record(id));
  const results = stream(records);
  const found = [(await results.next()).value, (await results.next()).value];
  for await (const batch of results.batches()) {
    found.push(...batch);
    if (found.length > 500) break;
  }
  assert.deepEqual(found, records.slice(0, found.length).map((_, id) => result(id)));
  assert.ok(found.length > 500);
});

test("errors and invalid lines of another copy of the package are recognized", async () => {
  const load = createRequire(import.meta.url);
  const other = load("forstcore") as typeof import("forstcore");
  assert.notEqual(other.ForstError, ForstError);
  const own = new other.ForstStreamingClient(url);
  const lines = await all(own.streamToForst(ENDPOINT, ["junk\n"], { onError: "emit" }));
  assert.deepEqual([lines.length, isInvalidLine(lines[0])], [1, true]);
  const [error] = await failed(own.streamToForst("/nowhere", [record(1)]));
  assert.ok(error instanceof ForstError);
  class Special extends ForstError {}
  assert.ok(!(error instanceof Special));
  assert.ok(new Special("code", "detail") instanceof ForstError);
  assert.ok(!([new Error("x"), null, "x"] as unknown[]).some((one) => one instanceof ForstError));
  const integration = new StreamingIntegration(own as unknown as ForstStreamingClient);
  assert.deepEqual(await all(integration.processLargeDataset([record(1)])), [result(1)]);
});

test("a stream does not stop with timers that a test has replaced", async () => {
  const { setImmediate } = globalThis;
  const results = stream([record(1)]);
  try {
    Object.assign(globalThis, { setImmediate: () => {} });
    assert.deepEqual(await all(results), [result(1)]);
  } finally {
    Object.assign(globalThis, { setImmediate });
  }
});
