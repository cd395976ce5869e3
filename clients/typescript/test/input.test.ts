/** What can be sent, and errors for what cannot. */

import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { runInNewContext } from "node:vm";

import {
  fetchTransport,
  ForstStreamingClient,
  isRetriable,
  type Input,
  type ProcessedRecord,
  type StreamingRecord,
} from "forstcore";

import {
  all,
  client,
  ENDPOINT,
  Endless,
  failed,
  record,
  result,
  stream,
  url,
  warnings,
} from "./support.js";

const INVALID = [record(1), { id: 7 } as unknown as StreamingRecord, record(3)];

const THREE = [record(1), record(2), record(3)];
const NDJSON = THREE.map((one) => `${JSON.stringify(one)}\n`).join("");

function web<T>(items: T[]): ReadableStream<T> {
  return Readable.toWeb(Readable.from(items)) as ReadableStream<T>;
}

test("every kind of input is sent completely", async () => {
  const bytes = Buffer.from(NDJSON);
  const cut = [bytes.subarray(0, 10), bytes.subarray(10, 11), bytes.subarray(11)];
  const inputs: Record<string, () => Input<StreamingRecord>> = {
    "a list of records": () => THREE,
    "a set of records": () => new Set(THREE),
    "a list of promises": () => THREE.map((one) => Promise.resolve(one)) as unknown as Input<StreamingRecord>,
    "a generator": () => THREE.values(),
    "a stream of records": () => Readable.from(THREE),
    "a web stream of records": () => web(THREE) as unknown as Input<StreamingRecord>,
    "records with a prototype": () => THREE.map((one) => Object.assign(new Endless(), one)),
    text: () => NDJSON,
    "text without the last LF": () => NDJSON.trimEnd(),
    "text with CR LF and a byte order mark": () => `\ufeff${NDJSON.replaceAll("\n", "\r\n")}`,
    "text with blank lines": () => `\n${NDJSON.replaceAll("\n", "\n \n")}`,
    "pieces of text": () => [...NDJSON],
    "a stream of text": () => Readable.from([...NDJSON]),
    bytes: () => bytes,
    "an ArrayBuffer": () => new Uint8Array(bytes).buffer,
    "a Uint8Array": () => new Uint8Array(bytes),
    "a Blob": () => new Blob([NDJSON]),
    "pieces of bytes": () => cut,
    "a stream of bytes": () => Readable.from(cut, { objectMode: false }),
    "a stream of bytes that is paused": () => Readable.from(cut).pipe(new PassThrough()),
    "a web stream of bytes": () => web(cut) as unknown as Input<StreamingRecord>,
    "the body of a response": () => new Response(NDJSON).body as unknown as Input<StreamingRecord>,
    "text and bytes": () => [cut[0]!, cut[1]!, cut[2]!.toString()],
  };
  const expected = THREE.map((_, index) => result(index + 1));
  for (const [name, input] of Object.entries(inputs)) {
    assert.deepEqual(await all(client.streamToForst(ENDPOINT, input())), expected, name);
    const body = await all(client.processStreamingData(ENDPOINT, input()));
    const lines = Buffer.concat(body).toString().trimEnd().split("\n");
    assert.deepEqual(lines.map((line) => JSON.parse(line) as ProcessedRecord), expected, name);
  }
});

test("an error for unsendable input names the record", async () => {
  const loop: Record<string, unknown> = { id: "1" };
  loop["self"] = loop;
  const inputs: Record<string, [unknown, RegExp]> = {
    undefined: [undefined, /not undefined$/],
    "a number": [7, /not a number$/],
    "no record": [[record(1), undefined], /^record 2 is undefined, not an object$/],
    null: [[null], /^record 1 is null/],
    "a list in a list": [[record(1), record(2), THREE], /^record 3 is an Array, not an object$/],
    "a Map": [[new Map([["id", "1"]])], /^record 1 is a Map, empty as JSON$/],
    "a Date": [[new Date()], /^record 1 is a Date whose toJSON\(\) does not return an object$/],
    "a function": [[() => record(1)], /^record 1 is a function/],
    "a BigInt": [[record(1), { id: 1n }], /^record 2 cannot be written as JSON: .*BigInt/],
    "a loop": [[loop], /^record 1 cannot be written as JSON: .*(circular|cyclic)/],
    NaN: [[record(1), { id: "2", data: NaN }], /^record 2 has NaN at data, which/],
    "infinity inside": [[{ a: [{ b: [1, Infinity] }] }], /^record 1 has Infinity at a\.0\.b\.1/],
    "undefined in a list": [[{ a: [undefined] }], /^record 1 has undefined at a\.0/],
    "a Map inside": [[{ a: [{ b: new Map([[1, 2]]) }] }], /^record 1 has a Map at a\.0\.b, which/],
    "an invalid Date": [[{ at: new Date(NaN) }], /^record 1 has an invalid Date at at, which/],
    "a typed array": [[new Uint16Array(2)], /^record 1 is a Uint16Array, neither an object nor/],
    "a typed array inside": [
      [{ a: new Float32Array(2) }],
      /^record 1 has a Float32Array at a, which JSON cannot express: use Array\.from/,
    ],
    "a promise inside": [[{ id: "1", data: Promise.resolve("x") }], /^record 1 has a Promise at data/],
    "a toJSON that returns text": [[{ id: "1", toJSON: () => "x" }], /^record 1 is an Object whose toJSON\(\) does not return an object$/],
    "a String object": [[new String("id")], /^record 1 is a String, not an object$/],
    "an infinity among flat members": [[{ a: "null", b: true, c: -Infinity }], /^record 1 has -Infinity at c/],
    "text after records": [[record(1), NDJSON], /^records cannot be followed by a string \(item 2\)$/],
    "records after text": [[NDJSON, record(1)], /^NDJSON cannot be followed by an Object \(item 2\)$/],
    "half a character": [["\udf32"], /^item 1: half a character/],
    "half a character at the end": [[NDJSON, "\ud83c"], /^item 2: half a character/],
    "half a character before bytes": [["\ud83c", Buffer.from(NDJSON)], /half a character/],
    "a list of numbers": [new Float64Array([1]), /^record 1 is a number/],
  };
  for (const [name, [input, message]] of Object.entries(inputs)) {
    const run = async () => all(stream(input as StreamingRecord[]));
    await assert.rejects(run, { name: "TypeError", message }, name);
    const bytes = async () => all(client.processStreamingData(ENDPOINT, input as Input<StreamingRecord>));
    await assert.rejects(bytes, { name: "TypeError", message }, name);
  }
  // Values that JSON can express as null are valid.
  const data = [{ id: null, data: null }, { id: "null" }, { id: "1", data: undefined }];
  assert.equal((await all(stream(data as StreamingRecord[]))).length, 3);
  // Also {}, of objects without members.
  const empty = [{ a: {}, b: [{}], c: Object.create(null) as object, d: new Date(), e: new Number(1) }];
  assert.equal((await all(stream(empty as StreamingRecord[]))).length, 1);
});

test("flat records arrive as they were when the producer gave them", async () => {
  const reused = record(0);
  function* sameObject() {
    for (let id = 1; id <= 100; id++) {
      reused.id = `${id}`;
      yield reused;
      reused.data = `${id}`; // Of the next one.
    }
  }
  const found = await all(stream(sameObject()));
  const expected = Array.from({ length: 100 }, (_, index) => result(index + 1, index ? `${index}` : "x"));
  assert.deepEqual(found, expected);
});

test("records are separated, whatever is in them and beside them", async () => {
  const texts = ["},{", '"},{"id":"1"', '\\"},{\\"', "[{}]", "\n", "é😀", "", "x".repeat(100_000)];
  const plain = (id: number) => record(id, texts[id % texts.length]);
  const kinds: Record<string, (id: number) => object> = {
    plain,
    "few with a separator inside": (id) => (id === 17 ? record(id, "},{") : record(id)),
    "nested ones between": (id) => (id % 5 ? plain(id) : { ...plain(id), more: [{ a: 1 }, { b: {} }] }),
    "nested ones after many": (id) => (id % 20 ? plain(id) : { ...plain(id), more: [{}, {}] }),
    "instances between": (id) => (id % 3 ? plain(id) : Object.assign(new Endless(), plain(id))),
    "null, numbers and unusual names": (id) => ({ "},{": null, 7: -0, __proto__: null, "\n": 1e21, ...plain(id) }),
  };
  for (const [name, make] of Object.entries(kinds)) {
    const input = Array.from({ length: 200 }, (_, id) => make(id) as StreamingRecord);
    const expected = input.map((_, id) => {
      const { data = "" } = make(id) as StreamingRecord;
      return result(id, data ?? "");
    });
    assert.deepEqual(await all(stream(input)), expected, name);
  }
});

test("a toJSON that is not enumerable applies", async () => {
  const hidden = (id: number) =>
    Object.defineProperty(record(id), "toJSON", { value: () => record(id, "from toJSON") });
  const found = await all(stream(Array.from({ length: 20 }, (_, id) => hidden(id))));
  assert.deepEqual(found, Array.from({ length: 20 }, (_, id) => result(id, "from toJSON")));
});

test("one record is no list of records, and no class is a document", async () => {
  const one = async () => all(stream(record(1) as unknown as StreamingRecord[]));
  await assert.rejects(one, { name: "TypeError", message: /not an Object$/ });
  const response = async () => all(client.processStreamingData(ENDPOINT, new Response("x")));
  await assert.rejects(response, { message: "record 1 is a Response, empty as JSON" });
});

test("a stream of Node that fails before it is read ends the results, not the process", async () => {
  const input = createReadStream("/nowhere.ndjson");
  const results = stream(input as AsyncIterable<StreamingRecord>);
  await new Promise<void>((resolve) => input.on("close", () => resolve()));
  await assert.rejects(all(results), { code: "ENOENT" });
  const started = stream(createReadStream("/nowhere.ndjson") as AsyncIterable<StreamingRecord>);
  await assert.rejects(all(started), { code: "ENOENT" });
});

test("a stream that was already read is an error", async () => {
  const readable = Readable.from(THREE);
  await all(readable);
  const request = new Request("http://127.0.0.1/", { method: "POST", body: NDJSON });
  await request.text();
  const given = web(THREE);
  await all(given);
  const destroyed = Readable.from(THREE);
  destroyed.destroy();
  // Deno cannot tell such a web stream from an empty one.
  const streams = "Deno" in globalThis ? [] : [request.body, given];
  for (const input of [readable, destroyed, ...streams]) {
    await assert.rejects(async () => all(stream(input as unknown as StreamingRecord[])));
  }
});

test("a character may be split between chunks of text", async () => {
  const text = `${JSON.stringify(record(1, "🌲é".repeat(50)))}\n`;
  for (const pause of [false, true]) {
    async function* pieces(): AsyncGenerator<string> {
      for (let at = 0; at < text.length; at++) {
        yield text[at]!;
        if (pause) await sleep(0);
      }
    }
    const found = await all(client.streamToForst(ENDPOINT, pieces()));
    assert.deepEqual(found, [result(1, "🌲é".repeat(50))]);
  }
});

test("a producer may reuse its buffer", async () => {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.alloc(64);
    for (let id = 100; id < 200; id++) {
      yield buffer.subarray(0, buffer.write(`${JSON.stringify(record(id))}\n`));
      if (id % 7 === 0) await sleep(0);
    }
  }
  const found = await all(client.streamToForst(ENDPOINT, pieces()));
  assert.deepEqual(found, Array.from({ length: 100 }, (_, index) => result(100 + index)));
});

test("a producer may reuse a large buffer, also while the server does not read", async () => {
  const size = 300_000;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.alloc(size);
    for (let id = 100; id < 160; id++) {
      const line = JSON.stringify(record(id, "x".repeat(999)));
      yield buffer.subarray(0, buffer.write(`${line}\n`.repeat(size / (line.length + 1))));
      buffer.fill("#");
    }
  }
  for (const transport of [undefined, fetchTransport()]) {
    const own = new ForstStreamingClient(url, transport && { transport });
    for (const resume of [false, true]) {
      const seen: Record<string, number> = {};
      const results = own.streamToForst(ENDPOINT, pieces(), { resume });
      for await (const { id } of results) {
        seen[id] = (seen[id] ?? 0) + 1;
        if (id === "100" && seen[id] === 1) await sleep(300);
      }
      assert.deepEqual([...new Set(Object.values(seen))], [293]);
      assert.equal(Object.keys(seen).length, 60);
      assert.equal(results.summary?.errors, 0);
    }
  }
});

test("a rejected promise ends the producer", async () => {
  const broken = new RangeError("broken");
  let cleaned = false;
  function* records(): Generator<Promise<StreamingRecord>> {
    try {
      yield Promise.resolve(record(1));
      yield Promise.reject(broken);
    } finally {
      cleaned = true;
    }
  }
  const input = records() as unknown as StreamingRecord[];
  await assert.rejects(all(stream(input)), (error) => error === broken);
  assert.ok(cleaned);
});

test("input without any valid record is an error", async () => {
  const bad = [{ id: 7 }, { id: 8 }] as unknown as StreamingRecord[];
  let ended = 0;
  const onEnd = () => ended++;
  for (const endpoint of [ENDPOINT, "/large-dataset-stream"]) {
    const [error] = await failed(client.streamToForst(endpoint, bad, { onEnd }));
    assert.deepEqual([error.code, error.lines], ["no_records", 2]);
    assert.match(error.detail, /^not one of 2 lines was a record \(wrong_type: 2\)/);
    const [same] = await failed(client.processStreamingData(endpoint, '[{"id":"1"}]', { onEnd }));
    assert.match(same.detail, /^the line was not a record \(not_an_object: 1\)/);
  }
  const text = ['{"id":"1"}', '{"id":"2"}'];
  const [error] = await failed(client.streamToForst(ENDPOINT, text));
  assert.match(error.detail, /invalid_json: 1.*, and records in text need an LF between them$/);
  const [half] = await failed(client.streamToForst(ENDPOINT, [record(1, "\ud800")]));
  assert.match(half.detail, /invalid_json: 1.* tells more$/);
  assert.equal(ended, 0);
  assert.equal((await all(stream(bad, { onError: "emit" }))).length, 2);
  const headers = { "Forst-Filter": '{"id":"9"}' };
  assert.deepEqual(await all(stream([...THREE, ...bad], { headers, onEnd })), []);
  assert.deepEqual(await all(client.streamToForst(ENDPOINT, "\n\n", { onEnd })), []);
  assert.equal(ended, 2);
});

test("rejected lines are logged unless the caller asks for them", async () => {
  const logged = ["forstcore: 1 of 3 lines were rejected, see onError"];
  assert.deepEqual(await warnings(() => all(stream(INVALID))), logged);
  const input = INVALID.map((one) => `${JSON.stringify(one)}\n`);
  assert.deepEqual(await warnings(() => all(client.processStreamingData(ENDPOINT, input))), logged);
  assert.deepEqual(await warnings(() => all(stream(INVALID, { onError: "skip" }))), []);
  assert.deepEqual(await warnings(() => all(stream(INVALID, { onEnd: () => {} }))), []);
  assert.deepEqual(await warnings(() => all(stream(THREE))), []);
});

test("fail reports the line and the reason", async () => {
  const input = INVALID.map((one) => `${JSON.stringify(one)}\n`);
  for (const items of [
    stream(INVALID, { onError: "fail" }),
    client.processStreamingData(ENDPOINT, input, { onError: "fail" }),
    client.processStreamingData(ENDPOINT, input, { headers: { "Forst-On-Error": "fail" } }),
  ] as AsyncIterable<unknown>[]) {
    const [error] = await failed(items);
    assert.deepEqual([error.code, error.status], ["bad_record", 422]);
    assert.match(error.message, /^line 2, byte 6: member 'id' must be .* \(wrong_type\)/);
    const { line, offset, code } = error.invalid!;
    assert.deepEqual([line, offset, code], [2, 6, "wrong_type"]);
  }
});

test("a stream with a listener for its progress arrives whole", async () => {
  const text = NDJSON.repeat(10_000);
  const input = Readable.from([text.slice(0, 100), text.slice(100)], { objectMode: false });
  let size = 0;
  input.on("data", (part: Buffer) => (size += part.length));
  const results = stream(input);
  await sleep(50);
  assert.equal((await all(results)).length, text.split("\n").length - 1);
  assert.equal(size, text.length);
});

test("values of another realm, as in the tests of Jest", async () => {
  const foreign = <T>(code: string) => runInNewContext(code) as T;
  const bytes = foreign<Uint8Array>(`Uint8Array.from(${JSON.stringify([...Buffer.from(NDJSON)])})`);
  const count = NDJSON.split("\n").length - 1;
  assert.equal((await all(stream(bytes as never))).length, count);
  assert.equal((await all(stream([bytes] as never))).length, count);
  const records = foreign<StreamingRecord[]>('[Promise.resolve({ id: "1", data: null, more: {} })]');
  assert.deepEqual(await all(stream(records)), [result(1, "")]);
  assert.ok(isRetriable(foreign('Object.assign(new Error("lost"), { code: "ECONNRESET" })')));
});
