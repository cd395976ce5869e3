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
