/** Servers that know nothing of forstcore, by `frames: "auto"`. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createGzip } from "node:zlib";

import {
  fetchTransport,
  ForstStreamingClient,
  StreamingIntegration,
  type ClientOptions,
  type Input,
  type StreamOptions,
  type Summary,
} from "forstcore";

import { all, client, ENDPOINT, failed, listen, Queue, record, result } from "./support.js";

const AUTO: StreamOptions<"skip"> = { frames: "auto" };
const MANY = Array.from({ length: 20_000 }, (_, id) => record(id));

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Run a server of node:http; return a client of it. */
async function serving(handler: Handler, options: ClientOptions = {}): Promise<ForstStreamingClient> {
  const server = createServer(async (request, response) => {
    // A client that fails leaves.
    request.on("error", () => {});
    await Promise.resolve(handler(request, response)).catch(() => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return new ForstStreamingClient(`http://127.0.0.1:${port}`, { retry: { delay: 1 }, ...options });
}

async function wholeOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function results(own: ForstStreamingClient, input: Input<object>, options: StreamOptions<"skip"> = AUTO) {
  return own.streamToForst<object, object>("/anything", input, { ...AUTO, ...options });
}

const echo: Handler = (request, response) => request.pipe(response);
const late: Handler = async (request, response) => response.end(await wholeOf(request));
const compressing: Handler = async (request, response) => {
  response.setHeader("content-encoding", "gzip");
  const gzip = createGzip();
  gzip.pipe(response);
  gzip.end(await wholeOf(request));
};

test("results arrive and the stream ends well", async () => {
  const clients = [
    await serving(echo),
    await serving(late),
    await serving(echo, { transport: fetchTransport() }),
    await serving(late, { transport: fetchTransport() }),
  ];
  for (const own of clients) {
    assert.deepEqual(await all(results(own, MANY)), MANY);
    assert.deepEqual(await all(results(own, [])), []);
    const bytes = await all(own.processStreamingData("/", MANY.slice(0, 2), AUTO));
    assert.equal(Buffer.concat(bytes).toString(), '{"id":"0","data":"x"}\n{"id":"1","data":"x"}\n');
  }
  const compressed = await serving(async (request, response) => {
    const body = request.headers["content-encoding"] === "gzip" ? "ok" : "it was not compressed";
    await wholeOf(request);
    await compressing(Object.assign([Buffer.from(`{"body":"${body}"}\n`)], {}) as never, response);
  }, { compression: true });
  assert.deepEqual(await all(results(compressed, [record(1)])), [{ body: "ok" }]);
});

test("each result comes before the next record is sent", async () => {
  const input = new Queue<object>();
  const stream = results(await serving(echo), input);
  for (let id = 0; id < 5; id++) {
    input.put(record(id));
    assert.deepEqual((await stream.next()).value, record(id));
  }
  assert.deepEqual([stream.lines, stream.summary], [0, undefined]);
  await stream.return();
});

test("lines that are not quite NDJSON", async () => {
  const untidy: Handler = async (request, response) => {
    response.write("\n\r\n");
    for await (const piece of request) {
      response.write(`${String(piece).replaceAll("\n", "\r\n")}: still here\n \n`);
    }
    response.end('{"id":"last"}');
  };
  const own = await serving(untidy);
  const last = { id: "last" };
  assert.deepEqual(await all(results(own, [record(1), record(2)])), [record(1), record(2), last]);
  const bytes = await all(own.processStreamingData("/", '{"id":"1"}\n', AUTO));
  assert.equal(Buffer.concat(bytes).toString(), '{"id":"1"}\r\n{"id":"last"}\n');
  const answer = await all(own.processStreamingData("/", { a: 1 }, AUTO));
  assert.equal(Buffer.concat(answer).toString(), '{"a":1}\r\n{"id":"last"}\n');
});

test("an incomplete response fails, and is not asked for again", async () => {
  let requests = 0;
  const cases: Record<string, Handler> = {
    "a missing last chunk": (request, response) => {
      response.write('{"id":"1"}\n');
      request.on("data", () => response.destroy());
    },
    "fewer bytes than Content-Length": (request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write('{"id":"1"}\n');
      request.on("data", () => response.destroy());
    },
    "a response that ends before the request": (request, response) => {
      request.once("data", () => response.end('{"id":"1"}\n'));
    },
  };
  for (const [name, handler] of Object.entries(cases)) {
    requests = 0;
    const own = await serving((request, response) => {
      requests++;
      handler(request, response);
    });
    const input = new Queue<object>();
    input.put(record(1));
    const [error] = await failed(results(own, input));
    assert.deepEqual([error.code, error.lines, requests], ["cut", 0, 1], name);
    assert.equal(input.returned, 1, name);
  }
});

test("a server that refuses the stream says why", async () => {
  let requests = 0;
  const own = await serving(async (request, response) => {
    requests++;
    await wholeOf(request);
    response.writeHead(503, { "content-type": "application/problem+json" });
    response.end('{"code":"busy","detail":"come again"}');
  });
  const [error] = await failed(results(own, MANY));
  assert.deepEqual([error.code, error.status, requests], ["busy", 503, 1]);
});

test("a pause of the producer is no timeout, silence of the server is", async () => {
  const pausing = async function* () {
    yield record(1);
    await sleep(1_000);
    yield record(2);
  };
  const own = await serving(late, { timeoutMs: 200 });
  assert.deepEqual(await all(results(own, pausing())), [record(1), record(2)]);
  for (const answer of ["", '{"id":"1"}\n']) {
    const silent = await serving((request, response) => {
      request.resume();
      if (answer) response.write(answer);
    }, { timeoutMs: 200 });
    const [error, found] = await failed(results(silent, [record(1)]));
    assert.deepEqual([error.code, found.length], ["timeout", answer ? 1 : 0]);
  }
});

test("control lines are used where the server sends them", async () => {
  let summary: Summary | undefined;
  const onEnd = (found: Summary) => (summary = found);
  const stream = client.streamToForst(ENDPOINT, MANY, { ...AUTO, onEnd });
  assert.deepEqual(await all(stream), MANY.map((_, id) => result(id)));
  assert.deepEqual([stream.lines, summary?.results], [20_000, 20_000]);
  for (const head of ["Forst-Frames: 1\r\n", ""]) {
    const ack = head ? "" : ":ack 1\n";
    const [url, server] = await listen((socket) => {
      socket.once("data", () => {
        socket.end(`HTTP/1.1 200 OK\r\n${head}\r\n{"id":"1"}\n${ack}`);
      });
    });
    const own = new ForstStreamingClient(url, { retry: { delay: 1 } });
    const [error] = await failed(results(own, [record(1)]));
    assert.deepEqual([error.code, /ended before its :end/.test(error.detail)], ["cut", true], head);
    server.close();
  }
});

test("what cannot be promised is refused", async () => {
  assert.throws(() => results(client, MANY, { ...AUTO, resume: true }), RangeError);
  assert.throws(() => results(client, MANY, { frames: "never" as never }), RangeError);
  const integration = new StreamingIntegration(client);
  assert.throws(() => integration.processRealTimeData({ source: "x" }, AUTO), RangeError);
  const own = new StreamingIntegration(await serving(echo), { datasetEndpoint: "/" });
  assert.deepEqual(await all(own.processLargeDataset<object, object>(MANY, AUTO)), MANY);
  const prompt = await serving((request, response) => {
    response.flushHeaders();
    echo(request, response);
  });
  const [error] = await failed(prompt.streamToForst("/", [record(1)]));
  assert.match(error.detail, /had no control lines; other servers than forstcore need frames: "auto"/);
  const slow = await serving(late, { timeoutMs: 200, retry: { attempts: 1 } });
  const [unaccepted] = await failed(slow.streamToForst("/", [record(1)]));
  assert.match(unaccepted.detail, /server of another kind \(frames: "auto"\)/);
});

test("what had arrived before a connection was cut comes before the error", async () => {
  // More than the reader takes before it pauses, and less than Node and the kernel keep together.
  const lines = MANY.map((one) => JSON.stringify(one) + "\n").join("");
  let cut = (): void => {};
  const own = await serving(async (request, response) => {
    request.resume();
    response.flushHeaders();
    for (let at = 0; at < lines.length; at += 10_000) {
      response.write(lines.slice(at, at + 10_000));
      await sleep(1);
    }
    cut = () => void response.socket!.destroy();
  });
  async function* slowly(): AsyncGenerator<object> {
    for await (const one of results(own, [record(0)])) {
      yield one;
      if (++count > 1) continue;
      await sleep(300);
      cut();
      await sleep(100);
    }
  }
  let count = 0;
  const [error, found] = await failed(slowly());
  assert.equal(error.code, "cut");
  assert.equal(found.length, MANY.length);
  assert.deepEqual(found, MANY);
});
