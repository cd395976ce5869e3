/** Ways to send requests: Unix sockets, TLS, compression, fetch. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { fetchTransport, ForstStreamingClient, type StreamingRecord } from "forstcore";

import { cuttingProxy } from "./proxy.js";
import { all, Endless, ENDPOINT, failed, figure, record, result, startServer, until, url } from "./support.js";

const MANY = Array.from({ length: 20_000 }, (_, id) => record(id));
const RESULTS = MANY.map((_, id) => result(id));

test("a Unix socket", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "forst-")), "s.sock");
  await startServer(["--unix-socket", path]);
  for (const address of [`http+unix://${path}`, `unix://${path}`, `http+unix://${encodeURIComponent(path)}/`]) {
    const own = new ForstStreamingClient(address);
    assert.deepEqual(await all(own.streamToForst(ENDPOINT, MANY)), RESULTS);
  }
  const nobody = new ForstStreamingClient("http+unix:///nowhere.sock", { retry: { delay: 1 } });
  const [error] = await failed(nobody.streamToForst(ENDPOINT, MANY));
  assert.deepEqual([error.code, error.retriable], ["unreachable", true]);
});

test("TLS with a certificate of the client", async () => {
  const folder = process.env["FORST_CERTIFICATES"] ?? "";
  const file = (name: string) => join(folder, name);
  const server = await startServer([
    ...["--tls-cert", file("server.pem"), "--tls-key", file("server.key")],
    ...["--tls-client-ca", file("friend.pem")],
  ]);
  const ca = readFileSync(file("server.pem"));
  const pair = (name: string) => ({
    cert: readFileSync(file(`${name}.pem`)),
    key: readFileSync(file(`${name}.key`)),
  });
  const tls = { ca, ...pair("friend") };
  const own = new ForstStreamingClient(server.url, { tls });
  assert.deepEqual(await all(own.streamToForst(ENDPOINT, MANY)), RESULTS);
  for (const wrong of [{ ca }, { ca, ...pair("stranger") }, pair("friend")]) {
    const stranger = new ForstStreamingClient(server.url, { tls: wrong, retry: { delay: 1 } });
    assert.equal((await failed(stranger.streamToForst(ENDPOINT, MANY)))[0].code, "unreachable");
  }
});

test("compression in both directions", async () => {
  // It would cut a response that is not compressed.
  const narrow = await cuttingProxy(url, () => 300_000);
  const own = new ForstStreamingClient(narrow, { compression: true });
  assert.deepEqual(await all(own.streamToForst(ENDPOINT, MANY)), RESULTS);
  const endless = new Endless(20);
  let seen = 0;
  for await (const one of own.streamToForst(ENDPOINT, endless)) {
    assert.deepEqual(one, result(++seen));
    if (seen === 10) break;
  }
  await until(() => endless.returned === 1);
  const proxy = await cuttingProxy(url, (number) => number * 2_000);
  const cut = new ForstStreamingClient(proxy, { ...own.options, retry: { attempts: 9, delay: 1 } });
  const results = cut.streamToForst(ENDPOINT, MANY, { resume: true, chunkSize: 50_000 });
  assert.deepEqual(await all(results), RESULTS);
  assert.ok(results.connections > 1);
});

test("fetch, where there is no node:http", async () => {
  const own = new ForstStreamingClient(url, { transport: fetchTransport() });
  assert.deepEqual(await all(own.streamToForst(ENDPOINT, MANY)), RESULTS);
  assert.deepEqual(await all(own.streamToForst(ENDPOINT, [])), []);
  assert.equal((await failed(own.streamToForst("/nowhere", MANY)))[0].status, 404);
  const endless = new Endless(5);
  for await (const one of own.streamToForst(ENDPOINT, endless)) {
    assert.deepEqual(one, result(1));
    break;
  }
  await until(() => endless.returned === 1);
  async function* failing(): AsyncGenerator<StreamingRecord> {
    yield record(1);
    throw new RangeError("broken");
  }
  await assert.rejects(all(own.streamToForst(ENDPOINT, failing())), { message: "broken" });
  const proxy = await cuttingProxy(url, (number) => number * 100_000);
  const options = { transport: fetchTransport(), retry: { attempts: 9, delay: 1 } };
  const resumed = new ForstStreamingClient(proxy, options).streamToForst(ENDPOINT, MANY, {
    resume: true,
    chunkSize: 50_000,
  });
  assert.deepEqual(await all(resumed), RESULTS);
  await until(async () => (await figure("forstcore_streams_open")) === 0);
});
