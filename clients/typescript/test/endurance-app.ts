// An application that checks each result: node endurance-app.js URL COUNT. It reports its progress.

import assert from "node:assert/strict";

import { StreamingIntegration, type StreamingRecord } from "forstcore";

const [baseUrl = "", count = ""] = process.argv.slice(2);
const retry = { attempts: 1_000, delay: 20, maxDelay: 50 };

function* records(): Generator<StreamingRecord> {
  for (let id = 0; id < Number(count); id++) yield { id: `${id}`, data: "x" };
}

const results = new StreamingIntegration({ baseUrl, retry }).processLargeDataset(records());
let id = 0;
let rss = 0;
for await (const one of results) {
  const expected = { id: `${id++}`, result: "processed_x", status: "success" };
  if (one.id !== expected.id || one.result !== expected.result) assert.deepEqual(one, expected);
  if (id % 10_000 === 0) {
    rss = Math.max(rss, process.memoryUsage.rss());
    process.send?.({ id, rss, connections: results.connections });
  }
}
process.disconnect?.();
