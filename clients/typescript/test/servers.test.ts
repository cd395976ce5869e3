/** Servers that refuse a stream, fail, or hang. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { ForstStreamingClient, StreamingIntegration, type StreamingRecord } from "forstcore";

import {
  all,
  client,
  Endless,
  ENDPOINT,
  failed,
  Queue,
  record,
  result,
  startServer,
  until,
} from "./support.js";

test("a refused request", async () => {
  const records = new Endless();
  const [error] = await failed(client.streamToForst("/nowhere", records));
  assert.deepEqual([error.code, error.status], ["refused", 404]);
  assert.match(error.detail, /POST \/streaming-process/);
  assert.equal(records.produced, 0);
});

test("a token", async () => {
  const token = "a secret of this test";
  const { url } = await startServer([], { FORSTCORE_TOKEN: token });
  const stranger = new ForstStreamingClient(url);
  const [error] = await failed(stranger.streamToForst(ENDPOINT, [record(1)]));
  assert.equal(error.status, 401);
  const trusted = new ForstStreamingClient({ baseUrl: url, token });
  assert.deepEqual(await all(trusted.streamToForst(ENDPOINT, [record(1)])), [result(1)]);
});

test("a server that is not running", async () => {
  const nobody = new ForstStreamingClient("http://127.0.0.1:1/", { retry: { delay: 1 } });
  const records = new Endless();
  const [error] = await failed(nobody.streamToForst(ENDPOINT, records));
  assert.equal(error.code, "unreachable");
  assert.equal(records.produced, 0);
});

test("messages do not contain the password of a URL", async () => {
  const nobody = "http://user:secret@127.0.0.1:1";
  const own = new ForstStreamingClient(nobody, { retry: { attempts: 1 } });
  const [error] = await failed(own.streamToForst(ENDPOINT, [record(1)]));
  assert.match(error.message, /^http:\/\/127\.0\.0\.1:1\/streaming-process cannot be reached/);
  const request = new Request("http://127.0.0.1/", { method: "POST", body: "{}" });
  const response = await new StreamingIntegration(own).handleStreamingRequest(request);
  assert.equal(response.status, 502);
  assert.doesNotMatch(await response.text(), /secret/);
});

test("the error of a wrong URL does not contain its password", () => {
  for (const wrong of [
    "http://user:secret@host:port",
    "http://user:se/cret@host",
    "http://user:se?cret@host",
    "http://user:12#secret@host",
    "http://user:secret@@:80x",
    "http://user:secret",
    "http://user:secret@[::1",
    "http://user:secret@host/?token=secret",
    "ftp://user:secret@host",
    "user:secret@host",
  ]) {
    assert.throws(
      () => new ForstStreamingClient(wrong),
      (error: Error) => /^the base URL .*/.test(error.message) && !/secret|cret|:se/.test(error.message),
      wrong,
    );
  }
});

for (const [status, pause, least, most] of [
  [429, "", 0, 900],
  [429, "1", 900, 1e6],
  [502, "soon", 0, 900],
  [503, "1", 900, 1e6],
  [503, "Sun, 06 Nov 1994 08:49:38 GMT", 900, 1e6],
  [504, "", 0, 900],
] as const) {
  test(`a refusal with status ${status} and Retry-After: ${pause} is retried`, async () => {
    const refused: number[] = [];
    const server = createServer((_request, response) => {
      refused.push(Date.now());
      response.setHeader("date", "Sun, 06 Nov 1994 08:49:37 GMT");
      if (pause) response.setHeader("retry-after", pause);
      response.writeHead(status).end("too many");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const own = new ForstStreamingClient(`http://127.0.0.1:${port}`, {
      retry: { attempts: 2, delay: 1 },
    });
    const [error] = await failed(own.streamToForst(ENDPOINT, [record(1)], { resume: true }));
    server.close();
    assert.deepEqual([error.status, error.retriable, refused.length], [status, true, 2]);
    const waited = (refused[1] ?? 0) - (refused[0] ?? 0);
    assert.ok(waited >= least && waited < most, `${waited} ms`);
  });
}

test("a server that dies", async () => {
  const server = await startServer();
  const own = new ForstStreamingClient(server.url);
  const records = new Queue<StreamingRecord>();
  const results = own.streamToForst(ENDPOINT, records);
  records.put(record(1));
  assert.deepEqual((await results.next()).value, result(1));
  // The acknowledgement follows the result, or comes with the next heartbeat.
  const next = failed(results);
  await until(() => results.lines === 1);
  server.kill("SIGKILL");
  const [error, rest] = await next;
  assert.deepEqual([error.code, error.lines, rest], ["cut", 1, []]);
  assert.equal(records.returned, 1);
});

test("a server that is shutting down", async () => {
  const server = await startServer();
  const records = new Endless(5);
  const results = new ForstStreamingClient(server.url).streamToForst(ENDPOINT, records);
  const first = (await results.next()).value;
  assert.deepEqual(first, result(1));
  server.kill("SIGTERM");
  const [error, rest] = await failed(results);
  assert.deepEqual([error.code, error.status], ["draining", 503]);
  assert.equal(error.lines, rest.length + 1);
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
