// The ways to process records from a Node application. Each takes a number of records, prepares them,
// and returns a function that processes them and reports the results to a meter.

import { once } from "node:events";
import { request } from "node:http";
import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";

import { chunks, job, processor, record, records, RESULT_SIZE } from "./records.mjs";

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

const REPORTED = 1000; // Objects that are reported together, because a call for each takes time.

async function countObjects(results, meter) {
  let count = 0;
  for await (const one of results) {
    if (one.status === "success" && ++count % REPORTED === 0) meter.seen(REPORTED);
  }
  meter.seen(count % REPORTED);
}

async function countBatches(batches, meter) {
  for await (const batch of batches) {
    let count = 0;
    for (const one of batch) if (one.status === "success") count++;
    meter.seen(count);
  }
}

async function countBytes(parts, meter) {
  for await (const part of parts) meter.seen(part.length / RESULT_SIZE);
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
  return async (meter) => {
    for (let at = 0; at < count; at += size) {
      const length = Math.min(size, count - at);
      const texts = meter.aside(() =>
        Array.from({ length }, (_, index) => JSON.stringify(job(record(at + index)))),
      );
      let found = 0;
      for (let index = 0; index < length; index++) {
        JSON.stringify(record(at + index));
        if (JSON.parse(texts[index]).status === "success") found++;
      }
      meter.seen(found);
      await setImmediate();
    }
  };
}

/** The whole job in the application: parse, process, write. */
function inline(count) {
  const parts = chunks(count);
  return async (meter) => {
    const toResults = processor();
    for (const part of parts()) {
      meter.seen(toResults(part).length / RESULT_SIZE);
      await setImmediate();
    }
  };
}

function* copies(parts) {
  for (const part of parts) yield new Uint8Array(part);
}

const withParts = (count, run) => {
  const parts = chunks(count);
  return (meter) => run(parts(), meter);
};

/** Return the ways; those of the package need its client. */
export function waysOf(client, url) {
  const objects = (input, options) => client.streamToForst(ENDPOINT, input, options);
  const bytes = (input, options) => client.processStreamingData(ENDPOINT, input, options);
  const resume = { resume: true };
  return {
    "objects: JSON alone": alone,
    "objects: worker_threads": (count) => (meter) =>
      countBatches(answers(grouped(count), () => []), meter),
    "objects: fetch": (count) => async (meter) =>
      countBatches(parsed(await byFetch(url, encoded(count))), meter),
    "objects: package": (count) => (meter) => countObjects(objects(records(count)), meter),
    "objects: package, async": (count) => (meter) =>
      countObjects(objects(asynchronous(count)), meter),
    "objects: package, resume": (count) => (meter) =>
      countObjects(objects(records(count), resume), meter),
    "objects: package, batches": (count) => (meter) =>
      countBatches(objects(records(count)).batches(), meter),
    "bytes: all in the app": inline,
    "bytes: worker_threads": (count) =>
      withParts(count, (parts, meter) =>
        countBytes(answers(copies(parts), (part) => [part.buffer]), meter),
      ),
    "bytes: fetch": (count) =>
      withParts(count, async (parts, meter) => countBytes(await byFetch(url, parts), meter)),
    "bytes: node:http": (count) =>
      withParts(count, async (parts, meter) => countBytes(await byHttp(url, parts), meter)),
    "bytes: package": (count) =>
      withParts(count, (parts, meter) => countBytes(bytes(parts), meter)),
    "bytes: package, resume": (count) =>
      withParts(count, (parts, meter) => countBytes(bytes(parts, resume), meter)),
  };
}
