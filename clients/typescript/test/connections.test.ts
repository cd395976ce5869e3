/** Connections that are closed, and responses that are not what they should be. */

import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import {
  ForstStreamingClient,
  StreamingIntegration,
  webSocketTransport,
  type StreamStatus,
} from "forstcore";

import {
  all,
  Endless,
  ENDPOINT,
  failed,
  listen,
  Queue,
  record,
  result,
  stream,
  url,
  warnings,
} from "./support.js";

const HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const END = `:end {"lines":1,"records":1,"errors":0,"results":1,"bytes_in":22,"bytes_out":53}`;
const ONE = [`{"id":"1","result":"processed_x","status":"success"}`, ":ack 1"];
const LAST = "0\r\n\r\n";

function chunk(...lines: string[]): string {
  const body = lines.map((line) => `${line}\n`).join("");
  return `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;
}

/** Accept a stream, and call back at the end of the request. */
function onRequest(socket: Socket, call: (text: string) => void): void {
  let text = "";
  let isAccepted = false;
  socket.on("data", (data) => {
    text += data.toString();
    if (!isAccepted) socket.write(HEAD);
    isAccepted = true;
    const isWhole = /content-length: /i.test(text) || text.endsWith(LAST);
    if (isWhole) call(text);
  });
}

function clientOf(url: string): ForstStreamingClient {
  return new ForstStreamingClient(url, { retry: { delay: 1 } });
}

test("a stream that was not accepted is tried again, over a connection of its own", async () => {
  const bodies: string[] = [];
  const [url, server] = await listen((socket, number) => {
    if (number % 3 !== 0) socket.once("data", () => socket.resetAndDestroy());
    else {
      onRequest(socket, (text) => {
        bodies.push(text);
        socket.write(chunk(...ONE, END) + LAST);
      });
    }
  });
  for (let round = 1; round <= 3; round++) {
    const statuses: StreamStatus["type"][] = [];
    const onStatus = (status: StreamStatus) => statuses.push(status.type);
    const results = clientOf(url).streamToForst(ENDPOINT, [record(1)], { onStatus });
    assert.deepEqual(await all(results), [result(1)]);
    assert.equal(results.connections, 3);
    const lost = ["connecting", "retrying"];
    assert.deepEqual(statuses, [...lost, ...lost, "connecting", "connected", "ended"]);
  }
  assert.equal(bodies.length, 3);
  for (const body of bodies) assert.match(body, /\{"id":"1","data":"x"\}\n/);
  server.close();
});

test("a started request is not sent again without resume", async () => {
  let connections = 0;
  const [url, server] = await listen((socket, number) => {
    connections = number;
    onRequest(socket, () => socket.resetAndDestroy());
  });
  const [error] = await failed(clientOf(url).streamToForst(ENDPOINT, [record(1)]));
  assert.deepEqual([error.code, connections], ["cut", 1]);
  server.close();
});

test("retries end if the server closes every connection", async () => {
  let connections = 0;
  const [url, server] = await listen((socket, number) => {
    connections = number;
    socket.on("data", () => socket.resetAndDestroy());
  });
  const records = new Endless();
  const [error] = await failed(clientOf(url).streamToForst(ENDPOINT, records));
  assert.deepEqual([error.code, connections, records.produced], ["unreachable", 3, 0]);
  server.close();
});

test("an incomplete response is an error", async () => {
  const ends: Record<string, [string, string]> = {
    "half-closed": [chunk(ONE[0]!), "cut"],
    "ended without :end": [chunk(...ONE) + LAST, "cut"],
    "fewer results": [chunk(ONE[1]!, END) + LAST, "corrupt"],
    "fewer lines arrived": [chunk(...ONE, END.replace("22", "0")) + LAST, "cut"],
  };
  for (const [name, [text, code]] of Object.entries(ends)) {
    const [url, server] = await listen((socket) => onRequest(socket, () => socket.end(text)));
    const [error] = await failed(clientOf(url).streamToForst(ENDPOINT, [record(1)]));
    assert.equal(error.code, code, name);
    const [same] = await failed(clientOf(url).processStreamingData(ENDPOINT, [record(1)]));
    assert.equal(same.code, code, name);
    server.close();
  }
});

test("a response that violates the wire contract is reported", async () => {
  const responses: Record<string, string[]> = {
    "this is not a result: <!doctype html>": ["<!doctype html>", "<title>"],
    "this is not a result: {},{}": ["{},{}", ":ack 1"],
    "this is not a result: [1": ["[1", "2]", ":ack 2"],
    "this is not a result: ": ["", ":ack 1"],
    "a control line is malformed: :ack many": [ONE[0]!, ":ack many"],
    "1 lines are acknowledged after 2": [":ack 2", ":ack 1"],
    "results follow the end of the stream": [...ONE, END, ONE[0]!],
    "an error line is malformed": [":rejected 1", ONE[0]!, ":ack 1"],
    "announced error lines are missing": [":rejected 2", ...ONE, END],
  };
  for (const [detail, lines] of Object.entries(responses)) {
    const [url, server] = await listen((socket) => {
      onRequest(socket, () => socket.write(chunk(...lines) + LAST));
    });
    const [error] = await failed(clientOf(url).streamToForst(ENDPOINT, [record(1)]));
    assert.deepEqual([error.code, error.detail], ["protocol", detail]);
    server.close();
  }
});

test("a redirect is not followed", async () => {
  const [url, server] = await listen((socket) => {
    socket.end("HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n");
  });
  const [error] = await failed(clientOf(url).streamToForst(ENDPOINT, [record(1)]));
  assert.deepEqual([error.code, error.status], ["refused", 302]);
  assert.match(error.detail, /redirects are not followed; this one leads to http:\/\/elsewhere/);
  server.close();
});

test("options that would send nothing are rejected", async () => {
  for (const chunkSize of [0, -1, NaN]) {
    assert.throws(() => stream([record(1)], { chunkSize }), RangeError);
  }
  assert.throws(() => stream([record(1)], { timeoutMs: NaN }), RangeError);
  for (const timeoutMs of [0, Infinity, 2 ** 40]) {
    const results = await all(stream([record(1)], { timeoutMs, chunkSize: 1 }));
    assert.deepEqual(results, [result(1)]);
  }
  for (const url of ["ftp://127.0.0.1/", "127.0.0.1:8080", "http+unix://", ""]) {
    assert.throws(() => new ForstStreamingClient(url), TypeError);
  }
});

test("addresses and headers may be objects of the web", async () => {
  const requests: string[] = [];
  const [url, server] = await listen((socket) => {
    onRequest(socket, (text) => {
      requests.push(text);
      socket.write(chunk(...ONE, END) + LAST);
    });
  });
  const headers = new Headers({ "X-One": "1" });
  const own = new ForstStreamingClient(new URL(`${url}/prefix`), { headers });
  const more = { headers: new Map([["X-Two", "2"]]) };
  assert.deepEqual(await all(own.streamToForst(ENDPOINT, [record(1)], more)), [result(1)]);
  const same = new StreamingIntegration({ baseUrl: new URL(url) }, { datasetEndpoint: "/a" });
  assert.deepEqual(await all(same.processLargeDataset([record(1)])), [result(1)]);
  assert.match(requests[0]!, /^POST \/prefix\/streaming-process .*x-one: 1\r\nx-two: 2\r\n/s);
  assert.match(requests[1]!, /^POST \/a /);
  server.close();
});

test("a live stream reports missed records", async () => {
  const lines = [":missed 5", ONE[0]!, ":offset a", ":ack 1", ":missed ?", END];
  const [url, server] = await listen((socket) => {
    onRequest(socket, () => socket.write(chunk(...lines) + LAST));
  });
  const integration = new StreamingIntegration(clientOf(url));
  const missed: (number | undefined)[] = [];
  const options = { onMissed: (count: number | undefined) => missed.push(count) };
  const results = integration.processRealTimeData({ source: "events" }, options);
  assert.deepEqual([await all(results), missed], [[result(1)], [5, undefined]]);
  assert.deepEqual([results.offset, results.missed], ["a", undefined]);
  const logged = await warnings(() => all(integration.processRealTimeData({ source: "events" })));
  assert.deepEqual(
    logged,
    ["5", "some"].map((count) => `forstcore: ${count} records of a live stream were missed`),
  );
  server.close();
});

test("heartbeats keep a stream alive, and without them it fails", async () => {
  let beats = 0;
  const [url, server] = await listen((socket) => {
    socket.write(HEAD + chunk(...ONE));
    const timer = setInterval(() => {
      socket.write(chunk(":ack 1"));
      if (++beats === 40) clearInterval(timer);
    }, 20);
  });
  const own = new ForstStreamingClient(url, { timeoutMs: 200 });
  const [error, results] = await failed(own.streamToForst(ENDPOINT, new Queue<object>()));
  assert.deepEqual([error.code, error.lines, results, beats], ["timeout", 1, [result(1)], 40]);
  server.close();
});

test("a consumer may be idle for longer than the timeout", async () => {
  const sockets: Socket[] = [];
  const [url, server] = await listen((socket) => {
    sockets.push(socket);
    onRequest(socket, () => socket.write(chunk(...ONE)));
  });
  const own = new ForstStreamingClient(url, { timeoutMs: 200 });
  const results = own.streamToForst(ENDPOINT, [record(1)]);
  assert.deepEqual((await results.next()).value, result(1));
  await sleep(1_000);
  sockets[0]!.write(chunk(END) + LAST);
  assert.equal((await results.next()).done, true);
  server.close();
});

test("a WebSocket that cannot be made", async () => {
  const { WebSocket } = globalThis as { WebSocket?: unknown };
  class Insecure {
    constructor() {
      throw new Error("the page is secure");
    }
  }
  const own = new ForstStreamingClient(url, { transport: webSocketTransport(), retry: { attempts: 1 } });
  try {
    Object.assign(globalThis, { WebSocket: undefined });
    await assert.rejects(all(own.streamToForst(ENDPOINT, [record(1)])), /^TypeError: this runtime has no WebSocket/);
    Object.assign(globalThis, { WebSocket: Insecure });
    const [error] = await failed(own.streamToForst(ENDPOINT, [record(1)]));
    assert.match(error.message, /cannot be reached: the page is secure/);
  } finally {
    Object.assign(globalThis, { WebSocket });
  }
});
