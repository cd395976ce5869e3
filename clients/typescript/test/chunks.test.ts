/** How responses are cut into chunks, by servers that are mistaken or hostile. */

import assert from "node:assert/strict";
import { request as send } from "node:http";
import type { Socket } from "node:net";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import { nodeTransport } from "forstcore";

import { listen } from "./support.js";

const HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const LONG = "x".repeat(70_000);
const { bun, deno } = process.versions as Record<string, string | undefined>;

/** Start a server that sends a response in parts that end at these places. */
async function sending(response: string, ends: number[]): Promise<[string, () => void]> {
  const serve = async (socket: Socket): Promise<void> => {
    socket.setNoDelay().resume();
    let start = 0;
    for (const end of [...ends, response.length]) {
      socket.write(response.slice(start, end), "latin1");
      start = end;
      await turn();
    }
    socket.end();
  };
  const [address, server] = await listen((socket) => void serve(socket));
  return [address, () => server.close()];
}

interface Received {
  text: string;
  trailers: Record<string, string | undefined>;
  isWhole: boolean;
}

async function received(address: string): Promise<Received & { parts: Uint8Array[] }> {
  const found = { text: "", trailers: {}, isWhole: false, parts: [] as Uint8Array[] };
  const request = { url: address, socketPath: undefined, method: "POST", headers: {} };
  const exchange = nodeTransport()?.open({ ...request, body: undefined, compress: false, decompress: false });
  assert.ok(exchange);
  try {
    const response = await exchange.response;
    for (let part = await response.read(); part; part = await response.read()) {
      found.parts.push(part);
      found.text += Buffer.from(part).toString("latin1");
    }
    found.trailers = response.trailers();
    found.isWhole = true;
  } catch (error) {
    assert.ok(error instanceof Error);
  } finally {
    exchange.destroy();
  }
  return found;
}

/** Receive a response with node:http alone. */
async function byNode(address: string): Promise<Received> {
  const found: Received = { text: "", trailers: {}, isWhole: false };
  await new Promise<void>((resolve) => {
    const sent = send(address, { method: "POST", agent: false }, (response) => {
      response.on("data", (part: Buffer) => (found.text += part.toString("latin1")));
      response.on("error", () => resolve());
      response.on("end", () => {
        Object.assign(found, { isWhole: response.complete, trailers: { ...response.trailers } });
        resolve();
      });
    });
    sent.on("error", () => {});
    sent.on("close", () => resolve());
    sent.flushHeaders();
  });
  return found;
}

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const END = "0\r\n\r\n";

const RESPONSES: Record<string, string> = {
  "one chunk": HEAD + chunk("a") + END,
  "many chunks": HEAD + ["a", "\r\n", "0\r\n\r\n", LONG, "b"].map(chunk).join("") + END,
  "trailers": `${HEAD}${chunk("a")}0\r\nX-A: b\r\n\r\n`,
  "capital digits and zeros": `${HEAD}0000000A\r\n0123456789\r\n0A\r\n0123456789\r\n00\r\n\r\n`,
  "an extension": `${HEAD}${chunk("a")}1;b=c\r\nd\r\n${chunk("e")}${END}`,
  "an extension first": `${HEAD}1;b=c\r\nd\r\n${chunk("e")}${END}`,
  "no chunk": HEAD + END,
  "no end": HEAD + chunk("a") + chunk("b"),
  "a cut chunk": `${HEAD}${chunk("a")}5\r\nab`,
  "a cut size": `${HEAD}${chunk("a")}5`,
  "no digits": `${HEAD}${chunk("a")}x\r\nab\r\n${END}`,
  "a negative size": `${HEAD}-1\r\na\r\n${END}`,
  "a chunk that is too long": `${HEAD}1\r\nab\r\n${END}`,
  "a chunk that is too short": `${HEAD}5\r\nab\r\n${END}`,
  "an LF alone after a size": `${HEAD}${chunk("a")}1\nb\r\n${END}`,
  "an LF alone after a chunk": `${HEAD}1\r\na\n${chunk("b")}${END}`,
  "a CR alone after a chunk": `${HEAD}1\r\na\r${chunk("b")}${END}`,
  "a huge size": `${HEAD}${chunk("a")}fffffffff\r\nab`,
  "a size that overflows": `${HEAD}${chunk("a")}${"f".repeat(40)}\r\nab`,
  "a size without end": `${HEAD}${"0".repeat(100)}1\r\na\r\n${END}`,
  "a space before a size": `${HEAD}${chunk("a")} 1\r\nb\r\n${END}`,
  "a space after a size": `${HEAD}${chunk("a")}1 \r\nb\r\n${END}`,
  "bytes after the end": `${HEAD}${chunk("a")}${END}b\r\n`,
  "a second response": `${HEAD}${chunk("a")}${END}${HEAD}${chunk("b")}${END}`,
  "a length": `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc`,
  "a length and chunks": HEAD.replace("\r\n", "\r\nContent-Length: 3\r\n") + chunk("a") + END,
  "until the end": `HTTP/1.1 200 OK\r\n\r\n${chunk("a")}${END}`,
  "HTTP/1.0": HEAD.replace("1.1", "1.0") + chunk("a") + END,
  "a status without a body": HEAD.replace("200 OK", "204 None") + chunk("a") + END,
  "an error": HEAD.replace("200 OK", "500 Error") + chunk("a") + END,
  "an interim response": `HTTP/1.1 103 Early\r\n\r\n${HEAD}${chunk("a")}${chunk("b")}${END}`,
  "an upgrade": `HTTP/1.1 101 Other\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n${HEAD}${END}`,
  "lines of the head with LFs alone": `${HEAD.replaceAll("\r", "")}${chunk("\r\n\r\n")}${END}`,
  "another coding": HEAD.replace("chunked", "gzip, chunked") + chunk("a") + END,
  "no HTTP": `${chunk("a")}${END}`,
  "nothing": "",
};

async function compare(response: string, ends: number[]): Promise<void> {
  const [address, close] = await sending(response, ends);
  const { parts: _, ...found } = await received(address);
  const wanted = await byNode(address);
  close();
  // What arrives before an error depends on when it is seen.
  if (!wanted.isWhole) found.text = wanted.text = "";
  assert.deepEqual({ ...found }, wanted, `cut at ${ends}: ${JSON.stringify(response)}`);
}

for (const [name, response] of Object.entries(RESPONSES)) {
  test(`a response is the same as with Node alone: ${name}`, async () => {
    const cuts = [[], [HEAD.length - 1], [HEAD.length], [HEAD.length + 1]];
    for (let end = 1; end < Math.min(response.length, 120); end++) cuts.push([end, end + 1]);
    cuts.push(Array.from({ length: Math.min(response.length, 120) }, (_, at) => at));
    for (const ends of cuts) await compare(response, ends);
  });
}

test("responses with mistakes anywhere are the same as with Node alone", async () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  const mistakes = ["", "\r", "\n", "\r\n", "0", "5", "a", "F", ";", " ", "\0", "\xff", ":", "-"];
  for (let round = 0; round < 1_000; round++) {
    let response = HEAD + ["a", "0\r\n\r\nb", "c".repeat(20)].map(chunk).join("") + END;
    for (let count = random(3); count > 0; count--) {
      const at = HEAD.length - 10 + random(response.length - HEAD.length + 10);
      const mistake = mistakes[random(mistakes.length)] as string;
      response = response.slice(0, at) + mistake + response.slice(at + random(3));
    }
    const first = random(response.length);
    await compare(response, [first, first + random(response.length - first)]);
  }
});

test("chunks that arrive together are not copied", { skip: bun ?? deno }, async () => {
  const [address, close] = await sending(HEAD + chunk("a") + chunk("b") + END, []);
  const { parts } = await received(address);
  close();
  assert.equal(parts.length, 2);
  assert.equal(parts[0]?.buffer, parts[1]?.buffer);
});
