/** Streams of bytes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import type { ProcessedRecord } from "forstcore";

import { all, client, ENDPOINT, failed, figure, Queue, record, result, until } from "./support.js";

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
  assert.deepEqual(lines.map((line) => JSON.parse(line) as ProcessedRecord), expected);
});

const text = (parts: Uint8Array[]): string => Buffer.concat(parts).toString();

test("iterating locks the stream, and closes it", async () => {
  const body = client.processStreamingData(ENDPOINT, LINE.repeat(20_000));
  const parts: Uint8Array[] = [];
  for await (const part of body) {
    assert.ok(body.locked);
    parts.push(part);
  }
  assert.equal(text(parts), PROCESSED.repeat(20_000));
  assert.ok(!body.locked);
  assert.deepEqual(await all(body), []);
  assert.equal((await body.getReader().read()).done, true);
});

test("parts that are asked for at once come in order", async () => {
  const body = client.processStreamingData(ENDPOINT, LINE.repeat(20_000));
  const iterator = body[Symbol.asyncIterator]();
  const parts: Uint8Array[] = [];
  for (;;) {
    const found = await Promise.all([1, 2, 3, 4].map(() => iterator.next()));
    for (const { value } of found) if (value) parts.push(value);
    const ends = found.map(({ done }) => done ?? false);
    assert.deepEqual(ends, [...ends].sort());
    if (ends[3]) break;
  }
  assert.equal(text(parts), PROCESSED.repeat(20_000));
});

test("a reader goes on where an iterator stopped, and the other way around", async () => {
  const body = client.processStreamingData(ENDPOINT, LINE.repeat(20_000));
  const values = (body as { values?(options: object): AsyncIterable<Uint8Array> }).values;
  assert.ok(values);
  const parts: Uint8Array[] = [];
  for await (const part of values({ preventCancel: true })) {
    parts.push(part);
    if (parts.length === 2) break;
  }
  const reader = body.getReader();
  parts.push((await reader.read()).value as Uint8Array);
  reader.releaseLock();
  parts.push(...(await all(body)));
  assert.equal(text(parts), PROCESSED.repeat(20_000));
});

test("leaving an iterator ends the upload, also while it waits", async () => {
  for (const isWaiting of [false, true]) {
    const input = new Queue<string>();
    const body = client.processStreamingData(ENDPOINT, input);
    const iterator = body[Symbol.asyncIterator]();
    input.put(LINE);
    assert.equal(text([(await iterator.next()).value as Uint8Array]), PROCESSED);
    const next = isWaiting ? iterator.next() : undefined;
    await iterator.return?.();
    assert.equal((await next)?.done ?? true, true);
    assert.equal((await iterator.next()).done, true);
    assert.equal(input.returned, 1);
    assert.equal((await body.getReader().read()).done, true);
  }
  await until(async () => (await figure("forstcore_streams_open")) === 0);
});

test("a stream that has failed fails again", async () => {
  const body = client.processStreamingData("/nowhere", [LINE]);
  const [error] = await failed(body);
  const [same] = await failed(body);
  assert.equal(same, error);
});

test("a stream that was iterated over cannot be the input of another", async () => {
  const body = client.processStreamingData(ENDPOINT, [LINE]);
  await all(body);
  // Only Node tells, and only before anything is sent.
  if (process.versions["bun"] || process.versions["deno"]) return;
  assert.throws(() => client.processStreamingData(ENDPOINT, body), /was read to its end or destroyed before/);
});

test("what a callback throws fails the stream, and closes its connection", async () => {
  async function* input(): AsyncGenerator<string> {
    yield `${LINE}junk\n${LINE}`;
    await new Promise(() => {});
  }
  const onDrop = (): never => {
    throw new RangeError("no more");
  };
  const open = () => client.processStreamingData(ENDPOINT, input(), { onDrop });
  await assert.rejects(all(open()), RangeError);
  const reader = open().getReader();
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  }, RangeError);
  await until(async () => (await figure("forstcore_streams_open")) === 0);
});

test("the memory of each part can be passed on", async () => {
  async function* lines(): AsyncGenerator<string> {
    for (let at = 0; at < 1_000; at++) {
      yield LINE.repeat(1 + (at % 100));
      if (at % 100 === 0) await sleep(1);
    }
  }
  const wanted = PROCESSED.repeat(50_500);
  for (const options of [{}, { resume: true }, { compression: true }, { onError: "emit" as const }]) {
    const parts: Uint8Array[] = [];
    for await (const part of client.processStreamingData(ENDPOINT, lines(), options)) {
      parts.push(structuredClone(part, { transfer: [part.buffer as ArrayBuffer] }));
    }
    assert.equal(Buffer.concat(parts).toString(), wanted);
  }
});
