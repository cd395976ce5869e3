/** Streams that go on over another connection. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import {
  ForstStreamingClient,
  StreamingIntegration,
  type InvalidLine,
  type StreamingRecord,
} from "forstcore";

import { cuttingProxy } from "./proxy.js";
import { all, client, ENDPOINT, failed, Queue, record, result, startServer, url } from "./support.js";

const RETRY = { retry: { attempts: 20, delay: 5 } };

function* records(count: number): Generator<StreamingRecord> {
  for (let id = 0; id < count; id++) yield record(id);
}

test("each result comes once and in order over connections that are cut", async () => {
  const count = 100_000;
  const proxy = await cuttingProxy(url, (number) => (number * 7919 * 100) % 999_983);
  const integration = new StreamingIntegration({ baseUrl: proxy, ...RETRY, chunkSize: 1 << 16 });
  const results = integration.processLargeDataset(records(count));
  let id = 0;
  for await (const one of results) assert.deepEqual(one, result(id++));
  assert.equal(id, count);
  assert.equal(results.lines, count);
  assert.ok(results.connections > 5, `${results.connections} connections`);
});

for (const after of [600, 10_000, 30_000, 64_000, 100_000]) {
  test(`each connection that is cut after ${after} bytes makes progress`, async () => {
    const bodies = Array.from({ length: (20 * after) / 140 }, (_, id) => ({
      id: `${id}`,
      data: randomBytes(60).toString("hex"),
    }));
    for (const compression of [false, true]) {
      const proxy = await cuttingProxy(url, () => after);
      const own = new ForstStreamingClient(proxy, { compression, retry: { delay: 1 } });
      const results = own.streamToForst(ENDPOINT, bodies, { resume: true });
      let id = 0;
      for await (const one of results) assert.deepEqual(one, result(id, bodies[id++]?.data));
      assert.equal(id, bodies.length);
      // The results of half of what a connection brings may have to come again.
      assert.ok(results.connections > 2 && results.connections < 100, `${results.connections}`);
    }
  });
}

test("options that are undefined count as not given", async () => {
  const proxy = await cuttingProxy(url, (number) => number * 20_000);
  const retry = { ...RETRY.retry, maxDelay: undefined };
  const own = new ForstStreamingClient({ baseUrl: proxy, retry }, { retry: undefined });
  const endpoints = { endpoint: undefined, datasetEndpoint: undefined, onCut: undefined };
  const integration = new StreamingIntegration(own, endpoints);
  const options = { resume: undefined, retry: { attempts: undefined }, chunkSize: undefined };
  const results = integration.processLargeDataset(records(5_000), options);
  assert.equal((await all(results)).length, 5_000);
  assert.ok(results.connections > 1, `${results.connections} connections`);
});

test("bytes resume, too", async () => {
  const lines = Array.from(records(20_000), (one) => `${JSON.stringify(one)}\n`).join("");
  const direct = await all(client.processStreamingData(ENDPOINT, lines));
  const proxy = await cuttingProxy(url, (number) => number * 100_000);
  const own = new ForstStreamingClient(proxy, RETRY);
  const input = Array.from({ length: lines.length / 1000 + 1 }, (_, at) =>
    lines.slice(at * 1000, (at + 1) * 1000),
  );
  const options = { resume: true, chunkSize: 10_000 };
  const resumed = await all(own.processStreamingData(ENDPOINT, input, options));
  assert.ok(Buffer.concat(resumed).equals(Buffer.concat(direct)));
});

test("error lines keep their numbers over several connections", async () => {
  const proxy = await cuttingProxy(url, (number) => number * 50_000);
  const own = new ForstStreamingClient(proxy, RETRY);
  function* mixed(): Generator<object> {
    for (let id = 1; id <= 10_000; id++) yield id % 10 === 0 ? { id } : record(id);
  }
  const dropped: InvalidLine[] = [];
  const options = {
    resume: true,
    chunkSize: 20_000,
    onDrop: (line: InvalidLine) => dropped.push(line),
  };
  const results = own.streamToForst(ENDPOINT, mixed() as Generator<StreamingRecord>, options);
  assert.equal((await all(results)).length, 9_000);
  assert.ok(results.connections > 2);
  const numbers = Array.from({ length: 1_000 }, (_, index) => (index + 1) * 10);
  assert.deepEqual(dropped.map(({ line }) => line), numbers);
});

test("a server that is killed and started again", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "forst-")), "s.sock");
  const first = await startServer(["--unix-socket", path]);
  const retry = { attempts: 10_000, delay: 20, maxDelay: 20 };
  const own = new ForstStreamingClient(`http+unix://${path}`, { retry });
  const queue = new Queue<StreamingRecord>();
  const results = own.streamToForst(ENDPOINT, queue, { resume: true });
  queue.put(record(1));
  assert.deepEqual((await results.next()).value, result(1));
  first.kill("SIGKILL");
  const next = results.next();
  queue.put(record(2));
  await startServer(["--unix-socket", path]);
  assert.deepEqual((await next).value, result(2));
  await results.return();
  assert.equal(queue.returned, 1);
});

test("a producer that is idle for longer than the server waits", async () => {
  const server = await startServer(["--timeout", "0.3"]);
  const own = new ForstStreamingClient(server.url, RETRY);
  const queue = new Queue<StreamingRecord>();
  const results = own.streamToForst(ENDPOINT, queue, { resume: true });
  for (let id = 1; id <= 3; id++) {
    const next = results.next();
    await sleep(700);
    queue.put(record(id));
    assert.deepEqual((await next).value, result(id));
  }
  assert.ok(results.connections > 1);
  await results.return();
});

test("a stream without progress gives up after its attempts", async () => {
  const proxy = await cuttingProxy(url, () => 1);
  const own = new ForstStreamingClient(proxy, { retry: { attempts: 4, delay: 1 } });
  const results = own.streamToForst(ENDPOINT, records(10), { resume: true });
  const [error] = await failed(results);
  assert.deepEqual([error.code, results.connections], ["unreachable", 4]);
});

test("a live stream resumes from its last offset", async () => {
  const server = await startServer(["--source", "events=memory:"]);
  const publish = async (from: number, to: number) => {
    const lines = Array.from({ length: to - from }, (_, index) => record(from + index));
    const body = lines.map((one) => `${JSON.stringify(one)}\n`).join("");
    const response = await fetch(`${server.url}/sources/events`, { method: "POST", body });
    assert.equal(response.status, 200, await response.text());
  };
  await publish(0, 5_000);
  const proxy = await cuttingProxy(server.url, (number) => number * 40_000);
  const integration = new StreamingIntegration({ baseUrl: proxy, ...RETRY });
  const results = integration.processRealTimeData({ source: "events", from: "start" });
  let id = 0;
  for await (const one of results) {
    assert.deepEqual(one, result(id++));
    if (id === 5_000) await publish(5_000, 10_000);
    if (id === 10_000) break;
  }
  assert.ok(results.connections > 2 && results.offset);
});
