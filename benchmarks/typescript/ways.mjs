// The ways to process records from a Node application. Each takes the address of a server and a
// number of records, and returns how many results there were, or how many bytes of them; and the
// microseconds of CPU time that are not part of it, if there are any.

import { once } from "node:events";
import { request } from "node:http";
import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";

import { chunks, job, processor, record, records } from "./records.mjs";

const ENDPOINT = "/streaming-process";
const MOST_IN_FLIGHT = 8; // Messages to a worker.

async function* asynchronous(count) {
  yield* records(count);
}

function* grouped(count, size = 500) {
  for (let at = 0; at < count; at += size) {
    yield Array.from({ length: Math.min(size, count - at) }, (_, index) => record(at + index));
  }
}

async function countObjects(results) {
  let count = 0;
  for await (const one of results) if (one.status === "success") count++;
  return { count };
}

async function countBatches(batches) {
  let count = 0;
  for await (const batch of batches) for (const one of batch) if (one.status === "success") count++;
  return { count };
}

async function countBytes(parts) {
  let bytes = 0;
  for await (const part of parts) bytes += part.length;
  return { bytes };
}

/** Send messages to a worker thread; yield its answers, in order. */
async function* answers(messages, transfer) {
  const worker = new Worker(new URL("worker.mjs", import.meta.url));
  const received = [];
  let inFlight = 0;
  let wake = () => {};
  worker.on("message", (message) => {
    received.push(message);
    inFlight--;
    wake();
  });
  const arrives = () => new Promise((resolve) => (wake = resolve));
  for (const message of messages) {
    worker.postMessage(message, transfer(message));
    if (++inFlight >= MOST_IN_FLIGHT) await arrives();
    yield* received.splice(0);
  }
  while (inFlight > 0) await arrives();
  yield* received;
  worker.postMessage(null);
}

async function byFetch(url, lines) {
  const response = await fetch(url + ENDPOINT, {
    method: "POST",
    body: ReadableStream.from(lines),
    duplex: "half",
    headers: { "Accept-Encoding": "identity" },
  });
  return response.body;
}

async function byHttp(url, lines) {
  const sent = request(url + ENDPOINT, { method: "POST", agent: false });
  Readable.from(lines, { objectMode: false }).pipe(sent);
  const [response] = await once(sent, "response");
  return response;
}

async function* parsed(body) {
  let tail = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (tail + text).split("\n");
    tail = lines.pop();
    yield lines.map((line) => JSON.parse(line));
  }
}

function* encoded(count) {
  for (const list of grouped(count)) {
    yield Buffer.from(list.map((one) => `${JSON.stringify(one)}\n`).join(""));
  }
}

/**
 * JSON.stringify of each record and JSON.parse of each result, and nothing else. The results are
 * distinct, because V8 finds short strings that it has seen before sooner; making them is aside.
 */
function alone(count, size = 1000) {
  return async () => {
    let found = 0;
    let aside = 0;
    for (let at = 0; at < count; at += size) {
      const before = process.cpuUsage();
      const texts = Array.from({ length: size }, (_, index) => JSON.stringify(job(record(at + index))));
      const { user, system } = process.cpuUsage(before);
      aside += user + system;
      for (let index = 0; index < size && at + index < count; index++) {
        JSON.stringify(record(at + index));
        if (JSON.parse(texts[index]).status === "success") found++;
      }
      await setImmediate();
    }
    return { count: found, aside };
  };
}

/** The whole job in the application: parse, process, write. */
function inline(count) {
  const parts = chunks(count);
  return async () => {
    const toResults = processor();
    let bytes = 0;
    for (const part of parts()) {
      bytes += toResults(part).length;
      await setImmediate();
    }
    return { bytes };
  };
}

function* copies(parts) {
  for (const part of parts) yield new Uint8Array(part);
}

const withParts = (count, run) => {
  const parts = chunks(count);
  return () => run(parts());
};

/** Return the ways: each prepares its input for a number of records, and returns what to measure. */
export function waysOf({ ForstStreamingClient }, url) {
  const client = new ForstStreamingClient(url);
  const objects = (input, options) => client.streamToForst(ENDPOINT, input, options);
  const bytes = (input, options) => client.processStreamingData(ENDPOINT, input, options);
  const resume = { resume: true };
  return {
    "objects: JSON alone": alone,
    "objects: worker_threads": (count) => () => countBatches(answers(grouped(count), () => [])),
    "objects: fetch": (count) => async () =>
      countBatches(parsed(await byFetch(url, encoded(count)))),
    "objects: package": (count) => () => countObjects(objects(records(count))),
    "objects: package, async": (count) => () => countObjects(objects(asynchronous(count))),
    "objects: package, resume": (count) => () => countObjects(objects(records(count), resume)),
    "objects: package, batches": (count) => () => countBatches(objects(records(count)).batches()),
    "bytes: all in the app": inline,
    "bytes: worker_threads": (count) =>
      withParts(count, (parts) => countBytes(answers(copies(parts), (part) => [part.buffer]))),
    "bytes: fetch": (count) =>
      withParts(count, async (parts) => countBytes(await byFetch(url, parts))),
    "bytes: node:http": (count) =>
      withParts(count, async (parts) => countBytes(await byHttp(url, parts))),
    "bytes: package": (count) => withParts(count, (parts) => countBytes(bytes(parts))),
    "bytes: package, resume": (count) =>
      withParts(count, (parts) => countBytes(bytes(parts, resume))),
  };
}
