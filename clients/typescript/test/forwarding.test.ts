/** Requests to a web application that are forwarded to the server. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { StreamingIntegration } from "forstcore";

import { all, client, figure, listen, record, until } from "./support.js";

const NDJSON = [1, 2, 3].map((id) => `${JSON.stringify(record(id))}\n`).join("");

test("a request whose body was already read is refused", async () => {
  const integration = new StreamingIntegration(client);
  for (const [name, read] of Object.entries({
    "to its end": async (request: IncomingMessage): Promise<unknown> => all(request),
    "in part": async (request: IncomingMessage): Promise<unknown> => once(request, "data"),
  })) {
    const server = createServer((request, response) => {
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
  const server = createServer((request, response) => {
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

test("when a client leaves before there is an answer, its forwarded request ends", async () => {
  let opened = 0;
  let closed = 0;
  const [url, silent] = await listen((socket) => {
    opened++;
    socket.resume().on("close", () => closed++);
  });
  const integration = new StreamingIntegration(url);
  const server = createServer((request, response) => {
    void integration.handleStreamingRequest(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const sent = request({ port, method: "POST" });
  sent.on("error", () => {}).end(NDJSON);
  await until(() => opened === 1);
  sent.destroy();
  await until(() => closed === 1);

  const controller = new AbortController();
  const options = { method: "POST", body: NDJSON, signal: controller.signal };
  const answer = integration.handleStreamingRequest(new Request("http://app.test/", options));
  await until(() => opened === 2);
  controller.abort();
  await until(() => closed === 2);
  assert.equal((await answer).status, 502);
  server.close();
  silent.close();
});

test("a wrong method is refused with the right ones", async () => {
  const integration = new StreamingIntegration(client);
  const answer = await integration.handleStreamingRequest(new Request("http://app.test/", { method: "PUT" }));
  assert.equal(answer.status, 405);
  assert.match(answer.headers.get("allow") ?? "", /\bPOST\b/);
});

test("an answer without a body", async () => {
  const [url, server] = await listen((socket) => {
    socket.once("data", () => socket.end("HTTP/1.1 204 No Content\r\n\r\n"));
  });
  const integration = new StreamingIntegration(url);
  const answer = await integration.handleStreamingRequest(new Request("http://app.test/"));
  assert.deepEqual([answer.status, answer.body], [204, null]);
  server.close();
});

test("a body that was locked or is no longer wanted", async () => {
  const integration = new StreamingIntegration(client);
  let cancelled = 0;
  function requestOf(signal: AbortSignal): Request {
    const source = {
      async pull(controller: ReadableStreamDefaultController<Uint8Array>) {
        await sleep(5);
        controller.enqueue(Buffer.from(NDJSON));
      },
      cancel: () => void cancelled++,
    };
    const body = new ReadableStream(source);
    const options: RequestInit & { duplex: "half" } = { method: "POST", body, signal, duplex: "half" };
    return new Request("http://app.test/", options);
  }
  const controller = new AbortController();
  const locked = requestOf(controller.signal);
  locked.body?.getReader();
  const refused = await integration.handleStreamingRequest(locked);
  assert.match(await refused.text(), /body_consumed/);

  const first = await integration.handleStreamingRequest(requestOf(controller.signal));
  await first.body?.cancel();
  await until(() => cancelled === 1);
  const second = await integration.handleStreamingRequest(requestOf(controller.signal));
  controller.abort();
  await assert.rejects(second.text());
  await until(() => cancelled === 2);
  await until(async () => (await figure("forstcore_streams_open")) === 0);
});

test("the rest of a body is dropped when the server refuses it early", async () => {
  const integration = new StreamingIntegration(client, { endpoint: "nowhere" });
  const state = { cancelled: 0, left: 0 };
  function requestOf(parts: number): Request {
    state.left = parts;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (state.left-- > 0) controller.enqueue(Buffer.from(NDJSON.repeat(1_000)));
        else controller.close();
      },
      cancel: () => void state.cancelled++,
    });
    const options: RequestInit & { duplex: "half" } = { method: "POST", body, duplex: "half" };
    return new Request("http://app.test/", options);
  }
  // To its end, because some clients read only then.
  const refused = await integration.handleStreamingRequest(requestOf(100));
  assert.equal(refused.status, 404);
  assert.match(await refused.text(), /nowhere/);
  await until(() => state.left < 0);
  assert.equal(state.cancelled, 0);
  // But not forever.
  const endless = await integration.handleStreamingRequest(requestOf(Infinity));
  await endless.text();
  await until(() => state.cancelled === 1);

  const partly = requestOf(100);
  const reader = partly.body?.getReader();
  await reader?.read();
  reader?.releaseLock();
  const consumed = await integration.handleStreamingRequest(partly);
  assert.match(await consumed.text(), /body_consumed/);
  await until(() => state.left < 0);
});

test("requests of HTTP/2: a cut, a slow reader, and a client that leaves", async () => {
  if (process.versions["bun"]) return; // Its client does not report a stream that was reset.
  const integration = new StreamingIntegration(client, { onCut: () => cuts++ });
  let cuts = 0;
  let handled = 0;
  const server = http2.createServer((request, response) => {
    void integration.handleStreamingRequest(request, response).then(() => handled++);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const post = (headers = {}) => session.request({ ":method": "POST", ...headers });

  const failing = post({ "Forst-On-Error": "fail" });
  failing.end(`${NDJSON}junk\n`);
  await assert.rejects(all(failing as AsyncIterable<Buffer>), { code: "ERR_HTTP2_STREAM_ERROR" });
  await until(() => handled === 1);
  assert.equal(cuts, 1);

  const slow = post();
  const part = NDJSON.repeat(1_000);
  let parts = 0;
  slow.on("error", () => {});
  slow.on("drain", () => {
    for (let isFree = true; isFree && parts < 2_000; parts++) isFree = slow.write(part);
  });
  slow.emit("drain");
  await once(slow, "response");
  await sleep(500);
  assert.ok(parts < 2_000);
  slow.destroy();
  await until(() => handled === 2);
  session.destroy();
  server.close();
});
