// A worker thread: processes lists of records, or chunks of NDJSON.

import { parentPort } from "node:worker_threads";

import { job, processor } from "./records.mjs";

const process = processor();

parentPort.on("message", (message) => {
  if (message === null) parentPort.close();
  else if (Array.isArray(message)) parentPort.postMessage(message.map(job));
  else {
    const results = new Uint8Array(process(message));
    parentPort.postMessage(results, [results.buffer]);
  }
});
