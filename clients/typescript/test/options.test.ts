/** Options that are not what they should be: callers without a compiler pass anything. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ForstStreamingClient,
  StreamingErrorHandler,
  StreamingIntegration,
  type ClientOptions,
} from "forstcore";
import { startSidecar } from "forstcore/sidecar";

import { all, client, ENDPOINT, record, result, url } from "./support.js";

const wrong = (value: unknown) => value as never;

test("a client without a base URL", () => {
  const kinds = { null: null, "a number": 42, undefined: {}, "a function": () => url };
  for (const [kind, value] of Object.entries(kinds)) {
    const message = `the base URL must be a string or a URL, not ${kind}`;
    assert.throws(() => new ForstStreamingClient(wrong(value)), { name: "TypeError", message });
    assert.throws(() => new StreamingIntegration(wrong(value)), { name: "TypeError", message });
  }
  for (const base of ["http://a b/", "http://127.0.0.1:99999", `${url}/?x=1`, `${url}/#x`]) {
    assert.throws(
      () => new ForstStreamingClient(base),
      (error: Error) => error instanceof TypeError && error.message.includes(base.replace(/([?#]).*/, "$1…")),
    );
  }
});

test("options of a wrong type", async () => {
  const options: [object, RegExp][] = [
    [{ timeoutMs: "30" }, /^timeoutMs must be a number, not a string$/],
    [{ chunkSize: "1024" }, /^chunkSize must be a number/],
    [{ compression: "gzip" }, /^compression must be a boolean/],
    [{ retry: 5 }, /^retry must be an object, not a number$/],
    [{ retry: { attempts: "3" } }, /^retry\.attempts must be a number/],
    [{ retry: { maxDelay: NaN } }, /^retry\.maxDelay must be at least 0, not NaN$/],
  ];
  for (const [given, message] of options) {
    assert.throws(() => new ForstStreamingClient(url, given), { message });
    assert.throws(() => client.streamToForst(ENDPOINT, [], given), { message });
  }
  const rejected = (given: unknown) => () => client.streamToForst(ENDPOINT, [], wrong(given));
  assert.throws(rejected({ onEnd: 5 }), /^TypeError: onEnd must be a function/);
  assert.throws(rejected(null), /^TypeError: the options must be an object, not null$/);
  assert.throws(
    () => new StreamingIntegration(client, wrong({ onCut: 1 })),
    /^TypeError: onCut must be a function/,
  );
  await assert.rejects(startSidecar(wrong({ onLog: 5 })), /^TypeError: onLog must be a function/);
  await assert.rejects(startSidecar(wrong({ args: "--workers 4" })), /^TypeError: args must be a list/);
  for (const tls of [{ ca: "ca.pem" }, { ca: ["ca.pem"] }, { cert: "a.pem" }, { key: "a.key" }]) {
    const name = Object.keys(tls)[0];
    const message = `tls.${name} must be the content of a PEM file, not its path`;
    assert.throws(() => new ForstStreamingClient(url, { tls }), { name: "TypeError", message });
  }
  const results = client.streamToForst(wrong(undefined), []);
  await assert.rejects(results.next(), /^TypeError: the endpoint must be a string, not undefined$/);
});

test("null and undefined count as not given", async () => {
  const none: object = { timeoutMs: null, retry: null, headers: null, token: null, transport: null };
  const own = new ForstStreamingClient(url, { ...none, headers: wrong({ "x-trace": undefined }) });
  const options: object = { onStatus: null, onEnd: null, signal: null, frames: null, resume: null };
  assert.deepEqual(await all(own.streamToForst(ENDPOINT, [record(1)], options)), [result(1)]);
  assert.deepEqual(new ForstStreamingClient(url, none as ClientOptions).options, {});
});

test("an error handler with a part of its settings has defaults for the others", async () => {
  let attempts = 0;
  const handler = new StreamingErrorHandler({ retry: { delay: 1 } });
  const run = handler.handleStreamingError(async () => {
    attempts++;
    throw Object.assign(new Error("lost"), { code: "ECONNRESET" });
  }, "a task");
  await assert.rejects(run, /lost \[a task: given up after 3 attempts\]/);
  assert.equal(attempts, 3);
});
