/**
 * A forstcore client in one file without dependencies, to copy into your project.
 *
 * It needs Node 20 or newer, whose `fetch` sends and receives at the same time. Browsers send the
 * whole request before they read the response.
 */

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import * as streams from "node:stream";
import { pipeline } from "node:stream/promises";

/** A record to send. Absent and null members count as empty strings; others are ignored. */
export type StreamingRecord = { id?: string | null; data?: string | null };

export type ProcessedRecord = { id: string; result: string; status: "success" };

/** Takes the place of an invalid line: `line` counts from 1, `offset` in bytes from 0. */
export type InvalidLine = {
  status: "error";
  line: number;
  offset: number;
  code: string;
  message: string;
};

export type Result = ProcessedRecord | InvalidLine;

const invalid = new WeakSet<object>();

/**
 * Return whether a result takes the place of an invalid line. This relies on what the server
 * announces, because the result of a processor may have the same members.
 */
export function isInvalidLine(result: Result): result is InvalidLine {
  return invalid.has(result);
}

/** The counts of a complete stream; `lines` are input lines, `errors` those that were rejected. */
export type Summary = {
  lines: number;
  records: number;
  errors: number;
  results: number;
  bytes_in: number;
  bytes_out: number;
  /** How many lines were rejected for each reason; servers before 0.2 do not send it. */
  errors_by_code?: Record<string, number>;
  digest: string;
};

export type ClientOptions = {
  /** Bearer token. */
  token?: string;
  /** More request headers. */
  headers?: Record<string, string>;
  /**
   * Milliseconds without data from the server after which a stream fails (30,000); 0 for never.
   * Must be more than the server's `heartbeat`. Pauses of producers and consumers do not count.
   */
  timeoutMs?: number;
  /** Approximate number of bytes to send together, if the producer has them ready (65,536). */
  chunkSize?: number;
};

export type StreamOptions = ClientOptions & {
  /**
   * What to do with an invalid line; the default, "skip", counts it. A stream with only invalid
   * lines throws in any case. If neither this nor `onEnd` is set, `console.warn` reports the number
   * of invalid lines.
   */
  onError?: "skip" | "emit" | "fail";
  /** Ends the stream; the caller gets its reason as the error. */
  signal?: AbortSignal;
  /** Called with the counts at the successful end of a stream. */
  onEnd?: (summary: Summary) => void;
  /**
   * Called when records of a live stream are missing at this place, with their number if that is
   * known. Without it, `console.warn` reports them.
   */
  onMissed?: (count: number | undefined) => void;
};

type Items<T> = AsyncIterable<T> | Iterable<T>;
type Bytes = Uint8Array<ArrayBuffer>;
type Text = string | Uint8Array | ArrayBuffer;

/**
 * What can be sent: records; or NDJSON as text or bytes, whole or in chunks that may be split
 * anywhere. Streams of Node and of the web are iterable.
 */
export type Input = Items<StreamingRecord> | Items<Text> | Text | Blob;

/**
 * A request was refused, or a stream failed. Errors of a producer are thrown unchanged instead, and
 * input that cannot be sent is a TypeError that names the record.
 */
export class ForstError extends Error {
  override readonly name = "ForstError";
  /**
   * A code of the server, or of this client: "refused" (the response was not a stream),
   * "unreachable" (there was no response), "cut" (the stream stopped before its end), "timeout",
   * "corrupt" (data was lost or changed), "protocol" (the response violates the wire contract),
   * "no_records" (every line was rejected).
   */
  readonly code: string;
  readonly detail: string;
  /** The HTTP status, if there is one. */
  readonly status: number | undefined;
  /** The number of input lines whose results have all been delivered to the caller. */
  readonly lines: number;
  /** The line that ended a stream with `onError: "fail"`. */
  readonly invalid: InvalidLine | undefined;

  constructor(
    code: string,
    detail: string,
    status?: number,
    lines = 0,
    options: ErrorOptions & { invalid?: InvalidLine | undefined } = {},
  ) {
    super(`${detail} (${code})`, options);
    this.invalid = options.invalid;
    this.code = code;
    this.detail = detail;
    this.status = status;
    this.lines = lines;
  }
}

/** Streams records through a server; one object may run any number of streams at once. */
export class ForstStreamingClient {
  readonly baseUrl: string;
  readonly options: ClientOptions;

  constructor(baseUrl = "http://127.0.0.1:8080", options: ClientOptions = {}) {
    this.baseUrl = baseUrl.replace(/\/+$/, "");
    this.options = options;
  }

  /**
   * Send records and yield their results, in order, while records are still being sent.
   *
   * The producer is read at the speed of the server. If the caller stops early, by `break` or the
   * signal, the upload ends and the producer's `return()` is called.
   *
   * @throws ForstError, or what the producer threw.
   */
  streamToForst(
    endpoint: string,
    records: Input,
    options: StreamOptions = {},
  ): AsyncGenerator<Result, void, undefined> {
    return exchangeOf(this, endpoint, upload(records), options).results();
  }

  /**
   * Like `streamToForst`, but return the result lines as a stream of bytes, split anywhere.
   *
   * The returned stream fails with a ForstError where `streamToForst` throws one. With the header
   * `Forst-Frames` it is the unchanged body of the response, including control lines.
   */
  processStreamingData(
    endpoint: string,
    input: Input,
    options: StreamOptions = {},
  ): ReadableStream<Bytes> {
    const exchange = exchangeOf(this, endpoint, upload(input), options);
    const body = exchange.bytes();
    return streamOf(async () => (await body.next()).value ?? undefined, exchange.close);
  }
}

/** Streams inside an application: data sets, live sources, and forwarded requests. */
export class StreamingIntegration {
  readonly #client: ForstStreamingClient;
  readonly #endpoint: string;

  constructor(client = new ForstStreamingClient(), endpoint = "/streaming-process") {
    this.#client = client;
    this.#endpoint = endpoint;
  }

  /** Yield the results of a data set of any size. */
  processLargeDataset(
    records: Items<StreamingRecord>,
    options: StreamOptions = {},
  ): AsyncGenerator<Result, void, undefined> {
    return this.#client.streamToForst(this.#endpoint, records, options);
  }

  /**
   * Yield the processed records of one of the server's sources as they arrive.
   *
   * Some sources redeliver records until they are acknowledged. This acknowledges records when the
   * caller asks for the next one: those that it was processing when it died go to another consumer.
   */
  processRealTimeData(
    input: { source: string; filters?: Record<string, unknown>; from?: string; processor?: string },
    options: StreamOptions = {},
  ): AsyncGenerator<Result, void, undefined> {
    return live(this.#client, "/real-time-process", input, options);
  }

  /**
   * Forward a request to Express or to Node's own server, and stream the response back.
   *
   * Use it before any body parser: if the body has been read, the response is an error. The
   * response starts after the first byte of the body, because `fetch` sends nothing before that.
   *
   * @throws ForstError if the stream fails after the response has started; the response is cut.
   *   For earlier failures the response is a problem document.
   * @throws TypeError if the arguments are not Node's own objects.
   */
  async handleStreamingRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!(typeof request?.pipe === "function" && typeof response?.writeHead === "function")) {
      const places = "request.raw and reply.raw of Fastify, ctx.req and ctx.res of Koa";
      throw new TypeError(`this needs Node's own request and response: ${places}`);
    }
    if (request.readableDidRead || request.readableEnded) {
      const detail = "the body was read before: put this handler in front of any body parser";
      return refuse(response, 500, "body_consumed", detail);
    }
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => PASSED_UP.test(name)),
    ) as Record<string, string>;
    let summary: Summary | undefined;
    const onEnd = (counts: Summary) => (summary = counts);
    // Not the request itself: destroying it would destroy the response.
    const chunks = upload(request.pipe(new streams.PassThrough()) as Items<Uint8Array>);
    const exchange = exchangeOf(this.#client, this.#endpoint, chunks, { headers, onEnd }, "passed");
    response.once("close", () => void exchange.close());
    async function* withCounts() {
      yield* exchange.bytes();
      if (!summary) return;
      const { lines, records, errors, results } = summary;
      const counts = Object.entries({ lines, records, errors, results });
      if (/\btrailers\b/i.test(`${request.headers.te}`) || (records === 0 && errors > 0)) {
        response.addTrailers(Object.fromEntries(counts.map(([name, n]) => [`Forst-${name}`, `${n}`])));
      }
    }
    try {
      const upstream = await exchange.open();
      response.statusCode = upstream.status;
      for (const name of PASSED_DOWN) {
        const value = upstream.headers.get(name);
        if (value !== null) response.setHeader(name, value);
      }
      response.flushHeaders();
      if (upstream.status === 200) await pipeline(withCounts(), response);
      else response.end(await upstream.text());
    } catch (error) {
      if (error instanceof ForstError && !response.headersSent) {
        refuse(response, error.code === "timeout" ? 504 : 502, error.code, error.detail);
      } else if (error instanceof ForstError || !response.destroyed) {
        throw error; // Otherwise the client has disconnected.
      }
    } finally {
      // Some clients send the whole request before they read the response.
      request.unpipe().resume();
    }
  }
}

/** Yield the results of a source, with acknowledgements if it requires them. */
async function* live(
  client: ForstStreamingClient,
  endpoint: string,
  input: object,
  options: StreamOptions,
): AsyncGenerator<Result, void, undefined> {
  const order = `${JSON.stringify(input)}\n`;
  const all = (ack: string) => ({
    ...options,
    headers: { ...options.headers, "Content-Type": "application/json", "Forst-Ack": ack },
  });
  const asked = exchangeOf(client, endpoint, upload(order), all("if-needed"), "live");
  if ((await asked.open()).status !== 428) return yield* asked.results();
  await asked.close();
  let done = 0;
  let wake = () => {};
  // The request stays open as long as its response.
  async function* acknowledgements() {
    yield order;
    for (let sent = 0; ; ) {
      while (done === sent) await new Promise<void>((resolve) => (wake = resolve));
      yield `:ack ${(sent = done)}\n`;
    }
  }
  const body = upload(acknowledgements());
  yield* exchangeOf(client, endpoint, body, all("1"), "live").results((lines) => {
    done = lines;
    wake();
  });
}

function refuse(response: ServerResponse, status: number, code: string, detail: string): void {
  response.writeHead(status, { "Content-Type": "application/problem+json" });
  response.end(JSON.stringify({ status, code, detail }));
}

const PASSED_UP = /^(accept|content-type|content-encoding|traceparent|tracestate|forst-.*)$/;
const PASSED_DOWN = ["Content-Type", "Cache-Control", "Retry-After", "X-Accel-Buffering"];

type Upload = {
  /** Return about `size` bytes that the producer has ready; undefined at its end. */
  next(size: number): Promise<Bytes | undefined>;
  /** Let the producer clean up. */
  close(): Promise<void>;
};

const PAUSED = Symbol("paused");

/** Wait for one iteration of the event loop. */
function turn(): Promise<typeof PAUSED> {
  return new Promise((resolve) => setImmediate(resolve, PAUSED));
}

function upload(input: Input): Upload {
  const iterator = iteratorOf(input);
  const encoder = new Encoder();
  let asked: Promise<IteratorResult<unknown>> | undefined;
  let ended = false;

  async function ask(): Promise<IteratorResult<unknown>> {
    let item: IteratorResult<unknown>;
    try {
      item = await iterator.next();
      ended ||= item.done === true;
    } catch (error) {
      ended = true;
      throw error;
    }
    // As in `for await`: promises in a list are awaited.
    if (!item.done && item.value instanceof Promise) return { value: await item.value };
    return item;
  }

  return {
    async next(size) {
      const parts: (string | Bytes)[] = [];
      let length = 0;
      let pause: Promise<typeof PAUSED> | undefined;
      while (length < size && (asked || !ended)) {
        asked ??= ask();
        const item = await (pause ? Promise.race([asked, pause]) : asked);
        if (item === PAUSED) {
          asked.catch(() => {}); // The next call throws the error.
          break;
        }
        asked = undefined;
        const part = item.done ? encoder.finish() : encoder.encode(item.value);
        if (part.length === 0) continue;
        parts.push(part);
        length += part.length;
        // Anything later than one iteration of the event loop is not ready.
        pause ??= turn();
      }
      // A producer that never pauses must not block the event loop.
      await pause;
      return parts.length > 0 ? joined(parts) : undefined;
    },

    async close() {
      if (ended) return;
      ended = true;
      asked?.catch(() => {});
      const closing = Promise.resolve(iterator.return?.());
      closing.catch(() => {});
      // A busy producer cannot be interrupted: it cleans up later.
      await (asked ? Promise.race([closing, turn()]) : closing);
    },
  };
}

function joined(parts: (string | Bytes)[]): Bytes {
  if (parts.every((part) => typeof part === "string")) return Buffer.from(parts.join(""));
  const chunks = parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part));
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

function iteratorOf(input: Input): AsyncIterator<unknown> | Iterator<unknown> {
  if (typeof input === "string" || isBytes(input)) return [input].values();
  if (input instanceof Blob) return iteratorOf(input.stream() as Items<Uint8Array>);
  if (typeof input === "object" && input !== null) {
    // A stream that was already read would look like an empty one.
    if (isReadOut(input as unknown as NodeJS.ReadableStream)) {
      throw new TypeError("the input is a stream that has already been read to its end");
    }
    if (Symbol.asyncIterator in input) return input[Symbol.asyncIterator]();
    if (Symbol.iterator in input) return input[Symbol.iterator]();
  }
  const wanted = "an iterable or a stream of records or NDJSON, or NDJSON as text or bytes";
  throw new TypeError(`the input must be ${wanted}, not ${kindOf(input)}`);
}

/** Return whether a stream has been read to its end; runtimes other than Node may not tell. */
function isReadOut(stream: NodeJS.ReadableStream): boolean {
  const { Readable, isErrored, isReadable } = streams as Partial<typeof streams>;
  const isOver = isReadable?.(stream) === false && !isErrored?.(stream);
  return isOver && (Readable?.isDisturbed?.(stream) ?? false);
}

/** Convert records to JSON lines; check and copy chunks of NDJSON. Errors name the item. */
class Encoder {
  #count = 0;
  #first: "records" | "NDJSON" | undefined;
  #half = ""; // Half of a character that is split between two chunks of text.

  encode(item: unknown): string | Bytes {
    this.#count++;
    const kind = typeof item === "string" || isBytes(item) ? "NDJSON" : "records";
    this.#first ??= kind;
    if (kind !== this.#first) {
      const found = `${kindOf(item)} (item ${this.#count})`;
      throw new TypeError(`${this.#first} cannot be followed by ${found}`);
    }
    if (typeof item === "string") return this.#text(item);
    if (!isBytes(item)) return this.#record(item);
    this.finish();
    // A copy, because the producer may reuse its buffer.
    return Buffer.from(item instanceof ArrayBuffer ? new Uint8Array(item) : item);
  }

  finish(): string {
    if (this.#half) throw new TypeError(`item ${this.#count}: half a character (lone surrogate)`);
    return "";
  }

  #text(item: string): string {
    let text = this.#half + item;
    this.#half = /[\ud800-\udbff]$/.exec(text.slice(-1))?.[0] ?? "";
    if (this.#half) text = text.slice(0, -1);
    if (!(text as string & { isWellFormed(): boolean }).isWellFormed()) {
      throw new TypeError(`item ${this.#count}: half a character (lone surrogate)`);
    }
    return text;
  }

  #record(item: unknown): string {
    let line: string | undefined;
    let wrong: string | undefined;
    try {
      line = JSON.stringify(item);
    } catch (error) {
      const { message } = error as Error;
      throw new TypeError(`record ${this.#count} cannot be written as JSON: ${message}`, {
        cause: error,
      });
    }
    if (line?.[0] !== "{") wrong = `is ${kindOf(item)}, not an object`;
    else if (line === "{}" && !isPlain(item)) wrong = `is ${kindOf(item)}, empty as JSON`;
    // JSON.stringify writes null for values that JSON cannot express.
    else if (line.includes("null")) wrong = notInJson(item, "");
    if (wrong) throw new TypeError(`record ${this.#count} ${wrong}`);
    return `${line}\n`;
  }
}

/** Find a value that `JSON.stringify` turns into null, and say where it is. */
function notInJson(value: unknown, path: string): string | undefined {
  if (typeof value === "number") {
    return Number.isFinite(value) ? undefined : `has ${value} at ${path}, which JSON cannot express`;
  }
  if (typeof value !== "object" || value === null || "toJSON" in value) return undefined;
  for (const [name, inner] of Object.entries(value)) {
    const place = path ? `${path}.${name}` : name;
    if (Array.isArray(value) && ["undefined", "function", "symbol"].includes(typeof inner)) {
      return `has ${kindOf(inner)} at ${place}, which JSON cannot express`;
    }
    const found = notInJson(inner, place);
    if (found) return found;
  }
  return undefined;
}

function isBytes(value: unknown): value is Uint8Array | ArrayBuffer {
  return value instanceof Uint8Array || value instanceof ArrayBuffer;
}

function isPlain(value: unknown): boolean {
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === null || prototype === Object.prototype;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return `${value}`;
  return `a ${typeof value === "object" ? (value.constructor?.name ?? "object") : typeof value}`;
}

/**
 * One request: its upload, its response, and the end of both. The records of a "live" stream are
 * not the caller's, and a "passed" stream is forwarded: its results are checked by its client.
 */
function exchangeOf(
  client: ForstStreamingClient,
  endpoint: string,
  sent: Upload,
  own: StreamOptions,
  kind: "own" | "live" | "passed" = "own",
) {
  const options = { ...client.options, ...own };
  const { token, onError, signal, onEnd, timeoutMs = 30_000, chunkSize = 65_536 } = options;
  if (!(chunkSize > 0)) throw new RangeError(`chunkSize must be more than 0, not ${chunkSize}`);
  if (Number.isNaN(timeoutMs)) throw new RangeError("timeoutMs must be a number, not NaN");
  // Compression costs more than it saves between two processes of one machine.
  const headers = new Headers({ "Accept-Encoding": "identity", ...client.options.headers });
  if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
  if (onError !== undefined) headers.set("Forst-On-Error", onError);
  new Headers(own.headers).forEach((value, name) => headers.set(name, value));
  const isRaw = headers.has("Forst-Frames");
  headers.set("Forst-Frames", "1");

  const stop = new AbortController();
  const follow = () => void close(signal?.reason).catch(() => {});
  let opening: Promise<Response> | undefined;
  let summary: Summary | undefined;
  let lines = 0; // Acknowledged by the server.
  let bytesSent = 0;
  let bytesReceived = 0; // Of results, without control lines.
  let rejected = new Set<number>(); // Positions of error lines after the last `:rejected`.
  let passed = 0; // Number of lines since then.
  let lastInvalid: InvalidLine | undefined;

  /**
   * Yield the results of the response, and handle its control lines.
   *
   * @param onAck is called with the number of input lines that the caller has processed.
   */
  async function* results(
    onAck: (lines: number) => void = () => {},
  ): AsyncGenerator<Result, void, undefined> {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    let tail = "";
    for await (const chunk of body()) {
      bytesReceived += chunk.length;
      const text = decoder.decode(chunk, { stream: true });
      const end = text.lastIndexOf("\n") + 1;
      if (end === 0) {
        tail += text;
        continue;
      }
      const whole = (tail + text.slice(0, end - 1)).split("\n");
      tail = text.slice(end);
      for (const line of whole) {
        if (line.startsWith(":")) {
          control(line);
          // The caller has asked for more, so has processed everything above this line.
          if (line.startsWith(":ack ")) onAck(lines);
          continue;
        }
        const result = parsed(line);
        passed += 1;
        if (rejected.has(passed)) invalid.add((lastInvalid = result as InvalidLine));
        yield result;
      }
    }
    checkEnd();
  }

  /** Yield the bytes of the result lines. */
  async function* bytes(): AsyncGenerator<Bytes, void, undefined> {
    if (isRaw) return yield* body();
    let part: Buffer<ArrayBuffer>[] = []; // Part of a control line.
    let isAtStart = true; // Whether this is the start of a line.
    let last = Buffer.alloc(0); // The last bytes, with the line that may end the stream.
    for await (const chunk of body()) {
      const data = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      for (let at = 0; at < data.length; ) {
        if (part.length > 0 || (isAtStart && data[at] === 0x3a)) {
          const end = data.indexOf("\n", at) + 1 || data.length;
          part.push(data.subarray(at, end));
          at = end;
          isAtStart = data[at - 1] === 0x0a;
          if (!isAtStart) continue;
          const line = Buffer.concat(part).toString().trimEnd();
          part = [];
          if (line.startsWith(":error ")) lastInvalid = invalidLine(last);
          bytesReceived += Buffer.byteLength(line) + 1;
          control(line);
          continue;
        }
        const end = data.indexOf("\n:", at) + 1 || data.length;
        const piece = data.subarray(at, end);
        bytesReceived += piece.length;
        if (headers.get("Forst-On-Error") === "fail") {
          last = Buffer.concat([last, piece.subarray(-4096)]).subarray(-4096);
        }
        at = end;
        isAtStart = data[at - 1] === 0x0a;
        yield piece;
      }
    }
    checkEnd();
  }

  function parsed(line: string): Result {
    try {
      return JSON.parse(line) as Result;
    } catch (cause) {
      const detail = `this is not a result: ${line.slice(0, 80)}`;
      throw new ForstError("protocol", detail, 200, lines, { cause });
    }
  }

  function control(line: string): void {
    bytesReceived -= Buffer.byteLength(line) + 1;
    const [name, ...words] = line.split(" ");
    const text = words.join(" ");
    if (name === ":ack") lines = Number(text);
    else if (name === ":rejected") {
      rejected = new Set(words.map(Number));
      passed = 0;
    }
    else if (name === ":missed") missed(text === "?" ? undefined : Number(text));
    else if (name === ":end") summary = JSON.parse(text) as Summary;
    else if (name === ":error") {
      const { code, detail, status } = JSON.parse(text) as ForstError;
      if (code !== "bad_record" || !lastInvalid) throw new ForstError(code, detail, status, lines);
      const { line, offset, message } = lastInvalid;
      const why = `line ${line}, byte ${offset}: ${message} (${lastInvalid.code})`;
      throw new ForstError(code, why, status, lines, { invalid: lastInvalid });
    }
  }

  function missed(count: number | undefined): void {
    if (options.onMissed) options.onMissed(count);
    else console.warn(`forstcore: ${count ?? "some"} records of a live stream were missed`);
  }

  /** Throw if the response does not account for everything that was sent. */
  function checkEnd(): void {
    if (!summary) throw new ForstError("cut", "the response stopped before its :end", 200, lines);
    const { bytes_in, bytes_out, records, errors, errors_by_code = {} } = summary;
    // The digest is not checked, because Node has no XXH3.
    if (bytes_out !== bytesReceived) {
      const detail = `${bytesReceived} of ${bytes_out} bytes of results arrived`;
      throw new ForstError("corrupt", detail, 200, lines);
    }
    const isCounted = kind !== "live" && !headers.has("Content-Encoding");
    if (isCounted && bytes_in !== bytesSent) {
      const detail = `${bytes_in} of ${bytesSent} bytes arrived at the server`;
      throw new ForstError("corrupt", detail, 200, lines);
    }
    if (kind === "own" && records === 0 && errors > 0 && bytes_out === 0) {
      const codes = Object.entries(errors_by_code).map(([code, count]) => `${code}: ${count}`);
      const why = `not one of ${summary.lines} lines was a record (${codes.join(", ")})`;
      throw new ForstError("no_records", `${why}; onError: "emit" tells more`, 200, lines);
    }
    if (kind === "own" && errors > 0 && !onEnd && !onError && !headers.has("Forst-On-Error")) {
      console.warn(`forstcore: ${errors} of ${summary.lines} lines were rejected, see onError`);
    }
    onEnd?.(summary);
  }

  /** Yield the response's body as it arrives; fail if not even heartbeats arrive. */
  async function* body(): AsyncGenerator<Bytes, void, undefined> {
    try {
      const response = await open();
      if (response.status !== 200) throw await timed(refusal(response));
      const reader = response.body?.getReader();
      // After the response headers, fetch loses its signal at the next garbage collection.
      stop.signal.addEventListener("abort", () => void reader?.cancel().catch(() => {}));
      for (;;) {
        const chunk = await timed(reader?.read());
        stop.signal.throwIfAborted();
        if (chunk?.value === undefined) return;
        yield chunk.value;
      }
    } catch (error) {
      throw failure("cut", error);
    } finally {
      await close();
    }
  }

  /** Send the request; return its response as soon as the headers have arrived. */
  function open(): Promise<Response> {
    return (opening ??= request());
  }

  /** End the upload and the response. */
  async function close(reason?: unknown): Promise<void> {
    signal?.removeEventListener("abort", follow);
    stop.abort(reason);
    await sent.close();
  }

  async function request(): Promise<Response> {
    signal?.addEventListener("abort", follow);
    if (signal?.aborted) follow();
    try {
      stop.signal.throwIfAborted();
      const chunks = repeatable(next);
      // fetch sends nothing before the first chunk, and counts that time against the server.
      await Promise.race([chunks.first, once(stop.signal, "abort")]);
      for (let attempt = 1; ; attempt++) {
        stop.signal.throwIfAborted();
        try {
          const response = await timed(send(chunks.again()));
          chunks.forget();
          return response;
        } catch (error) {
          if (attempt === ATTEMPTS || !chunks.isKept() || !wasClosed(error)) throw error;
        }
        await turn(); // Lets fetch notice other connections of the same age that are closed.
      }
    } catch (error) {
      const reason = failure("unreachable", error);
      await close().catch(() => {});
      throw reason;
    }
  }

  function send(stream: ReadableStream<Bytes>): Promise<Response> {
    const init: RequestInit & { duplex: "half" } = {
      method: "POST",
      headers,
      body: stream,
      duplex: "half",
      // Otherwise fetch keeps the whole body, to send it again to the target of a redirect.
      redirect: "error",
      signal: stop.signal,
    };
    return fetch(`${client.baseUrl}/${endpoint.replace(/^\/+/, "")}`, init);
  }

  async function next(): Promise<Bytes | undefined> {
    try {
      const chunk = await sent.next(chunkSize);
      bytesSent += chunk?.length ?? 0;
      return chunk;
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  }

  async function timed<T>(step: T): Promise<Awaited<T>> {
    if (timeoutMs <= 0 || timeoutMs > LONGEST_TIMEOUT) return await step;
    const timer = setTimeout(() => {
      const detail = `no data from the server for ${timeoutMs} ms`;
      stop.abort(new ForstError("timeout", detail, undefined, lines));
    }, timeoutMs);
    try {
      return await step;
    } finally {
      clearTimeout(timer);
    }
  }

  function failure(code: string, error: unknown): unknown {
    if (error instanceof ForstError) return error;
    if (stop.signal.aborted) return stop.signal.reason;
    const { message, cause } = error as Error;
    const detail = cause instanceof Error ? `${message}: ${cause.message}` : message;
    return new ForstError(code, detail, undefined, lines, { cause: error });
  }

  return { results, bytes, open, close };
}

const LONGEST_TIMEOUT = 2 ** 31 - 1; // Timers fire at once if the time is longer.
const ATTEMPTS = 3;
const MOST_KEPT = 1 << 20; // Bytes sent before the response that may be sent again.

/** Return whether the server had already closed the connection, so that it never saw the request. */
function wasClosed(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: string } };
  return ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"].includes(cause?.code ?? "");
}

/** Keep the chunks of a body for another attempt, until there is a response. */
function repeatable(next: () => Promise<Bytes | undefined>) {
  const first = next();
  const kept = [first];
  let size = 0;
  let isKept = true;

  function again(): ReadableStream<Bytes> {
    let at = 0;
    return streamOf(async () => {
      if (!isKept) {
        kept.splice(0, at);
        at = 0;
      }
      const chunk = await (kept[at++] ??= next());
      size += chunk?.length ?? 0;
      isKept &&= size <= MOST_KEPT;
      return chunk;
    });
  }

  return { first, again, isKept: () => isKept, forget: () => void (isKept = false) };
}

/** Return the error line at the end of some result lines, if there is one. */
function invalidLine(results: Buffer): InvalidLine | undefined {
  try {
    const line = JSON.parse(results.toString().trimEnd().split("\n").at(-1) ?? "") as Result;
    return line.status === "error" ? line : undefined;
  } catch {
    return undefined;
  }
}

/** Make a pull stream without a buffer. */
function streamOf(
  next: () => Promise<Bytes | undefined>,
  cancel: (reason: unknown) => Promise<void> = async () => {},
): ReadableStream<Bytes> {
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        const chunk = await next();
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
      cancel,
    },
    { highWaterMark: 0 },
  );
}

async function refusal(response: Response): Promise<ForstError> {
  const text = await response.text();
  const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
  const problem = (isProblem ? JSON.parse(text) : {}) as { code?: string; detail?: string };
  const detail = problem.detail ?? `the response is ${response.status} ${response.statusText}`;
  return new ForstError(problem.code ?? "refused", detail, response.status);
}
