/**
 * A client of forstcore in one file without dependencies: copy it into your project.
 *
 * It needs Node 20 or newer, whose `fetch` sends and receives at the same time. Browsers send
 * everything before they read anything.
 */

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import * as streams from "node:stream";
import { pipeline } from "node:stream/promises";

/** What is sent. Absent and null read as an empty string; other members are ignored. */
export type StreamingRecord = { id?: string | null; data?: string | null };

export type ProcessedRecord = { id: string; result: string; status: "success" };

/** Stands in the place of a line that is no record: `line` from 1, `offset` in bytes from 0. */
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
 * Tell whether a result stands in the place of a line that is no record, by what the server says
 * of its lines: a processor's result may have the same members.
 */
export function isInvalidLine(result: Result): result is InvalidLine {
  return invalid.has(result);
}

/** What a whole stream came to; `lines` are those of the input, `errors` those without a result. */
export type Summary = {
  lines: number;
  records: number;
  errors: number;
  results: number;
  bytes_in: number;
  bytes_out: number;
  /** How many lines were rejected for which reason; servers before 0.2 do not say. */
  errors_by_code?: Record<string, number>;
  digest: string;
};

export type ClientOptions = {
  /** Bearer token. */
  token?: string;
  /** More request headers. */
  headers?: Record<string, string>;
  /**
   * Milliseconds without a sign of life after which a server is given up (30,000); 0 for never.
   * Has to be more than the server's `heartbeat`; slow producers and consumers do not count.
   */
  timeoutMs?: number;
  /** About how many bytes of what the producer has ready are sent together (65,536). */
  chunkSize?: number;
};

export type StreamOptions = ClientOptions & {
  /**
   * What becomes of a line that is no record: "skip" counts it, and is the default. A stream of
   * which every line was rejected throws all the same. `console.warn` has the number of lines for
   * those who set neither this nor `onEnd`.
   */
  onError?: "skip" | "emit" | "fail";
  /** Ends the stream; its reason is what the caller gets. */
  signal?: AbortSignal;
  /** Called with the counts of a stream that ended well. */
  onEnd?: (summary: Summary) => void;
  /**
   * Called when records of a live stream are missing at this place, with their number where it is
   * known. Without it, `console.warn` says so.
   */
  onMissed?: (count: number | undefined) => void;
};

type Items<T> = AsyncIterable<T> | Iterable<T>;
type Bytes = Uint8Array<ArrayBuffer>;
type Text = string | Uint8Array | ArrayBuffer;

/**
 * What can be sent: records; or NDJSON as text or bytes, whole or in pieces that are cut anywhere.
 * Streams of Node and of the web are iterable.
 */
export type Input = Items<StreamingRecord> | Items<Text> | Text | Blob;

/**
 * A request was refused, or a stream failed. What a producer throws comes as it is instead, and
 * input that cannot be sent as it is, is a TypeError that names the record.
 */
export class ForstError extends Error {
  override readonly name = "ForstError";
  /**
   * The server's word for what happened, or one of this client: "refused" (the answer was no
   * stream), "unreachable" (there was none), "cut" (the stream stopped before its end), "timeout",
   * "corrupt" (what arrived is not what was sent), "protocol" (the answer is not that of such a
   * server), "no_records" (every line was rejected).
   */
  readonly code: string;
  readonly detail: string;
  /** The HTTP status, where there is one. */
  readonly status: number | undefined;
  /** How many input lines have all their results in what the caller got. */
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

/** Streams records through a server; one object serves any number of streams at once. */
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
   * Records are taken from their producer as the server takes them. A caller who stops early, by
   * `break` or the signal, ends the upload and has the producer's `return()` called.
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
   * As `streamToForst`, but return the result lines as a stream of bytes, cut anywhere.
   *
   * The returned stream fails with a ForstError where `streamToForst` throws one. Whoever sets the
   * header `Forst-Frames` gets the response's body as it is, control lines included.
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

/** What an application does with a server. */
export class StreamingIntegration {
  readonly #client: ForstStreamingClient;
  readonly #endpoint: string;

  constructor(client = new ForstStreamingClient(), endpoint = "/streaming-process") {
    this.#client = client;
    this.#endpoint = endpoint;
  }

  /** Yield the results of a data set, however large it is. */
  processLargeDataset(
    records: Items<StreamingRecord>,
    options: StreamOptions = {},
  ): AsyncGenerator<Result, void, undefined> {
    return this.#client.streamToForst(this.#endpoint, records, options);
  }

  /**
   * Yield processed records of one of the server's sources as they come.
   *
   * Records that the source gives again unless they are acknowledged are acknowledged when the
   * caller asks for what comes behind them: what it had in hand when it died goes to another.
   */
  processRealTimeData(
    input: { source: string; filters?: Record<string, unknown>; from?: string; processor?: string },
    options: StreamOptions = {},
  ): AsyncGenerator<Result, void, undefined> {
    return live(this.#client, "/real-time-process", input, options);
  }

  /**
   * Answer a request to Express or to Node's own server by streaming its body through.
   *
   * Use it before any body parser: a body that has been read is answered with an error. The
   * response starts after the first byte of the body: `fetch` sends nothing before that.
   *
   * @throws ForstError if the stream fails after the response has started; the response is cut.
   *   What fails before that is answered with a problem document.
   * @throws TypeError if the arguments are not Node's own objects.
   */
  async handleStreamingRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!(typeof request?.pipe === "function" && typeof response?.writeHead === "function")) {
      const places = "request.raw and reply.raw of Fastify, ctx.req and ctx.res of Koa";
      throw new TypeError(`Node's own request and response are wanted here: ${places}`);
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
    // Not the request itself: who destroys that destroys the response.
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
        throw error; // Else the client went away.
      }
    } finally {
      // There are clients that read nothing before they have sent everything.
      request.unpipe().resume();
    }
  }
}

/** Yield the results of a source, with acknowledgements if it wants them. */
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
  // The request goes on for as long as its response.
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
  /** Take what the producer has ready, about `size` bytes of it; undefined at its end. */
  next(size: number): Promise<Bytes | undefined>;
  /** Have the producer clean up. */
  close(): Promise<void>;
};

const PAUSED = Symbol("paused");

/** Let the event loop turn once. */
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
    // As `for await` does: a list of promises is a list of what they become.
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
          asked.catch(() => {}); // The next call throws it.
          break;
        }
        asked = undefined;
        const part = item.done ? encoder.finish() : encoder.encode(item.value);
        if (part.length === 0) continue;
        parts.push(part);
        length += part.length;
        // What is not there when the event loop has turned once is not ready.
        pause ??= turn();
      }
      // A producer that never pauses must not keep the event loop from everybody else.
      await pause;
      return parts.length > 0 ? joined(parts) : undefined;
    },

    async close() {
      if (ended) return;
      ended = true;
      asked?.catch(() => {});
      const closing = Promise.resolve(iterator.return?.());
      closing.catch(() => {});
      // A producer that is busy cannot be interrupted: it cleans up when it can.
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
    // Such a stream would look like an empty one.
    if (isReadOut(input as unknown as NodeJS.ReadableStream)) {
      throw new TypeError("the input is a stream that has been read to its end before");
    }
    if (Symbol.asyncIterator in input) return input[Symbol.asyncIterator]();
    if (Symbol.iterator in input) return input[Symbol.iterator]();
  }
  const wanted = "an iterable or a stream of records or NDJSON, or NDJSON as text or bytes";
  throw new TypeError(`the input has to be ${wanted}, not ${kindOf(input)}`);
}

/** Tell whether a stream has been read to its end; runtimes other than Node may not know. */
function isReadOut(stream: NodeJS.ReadableStream): boolean {
  const { Readable, isErrored, isReadable } = streams as Partial<typeof streams>;
  const isOver = isReadable?.(stream) === false && !isErrored?.(stream);
  return isOver && (Readable?.isDisturbed?.(stream) ?? false);
}

/** Make JSON lines of records; check and copy pieces of NDJSON. Errors name the item. */
class Encoder {
  #count = 0;
  #first: "records" | "NDJSON" | undefined;
  #half = ""; // Of a character that was cut between two pieces of text.

  encode(item: unknown): string | Bytes {
    this.#count++;
    const kind = typeof item === "string" || isBytes(item) ? "NDJSON" : "records";
    this.#first ??= kind;
    if (kind !== this.#first) {
      throw new TypeError(`${this.#first} cannot go on with ${kindOf(item)} (item ${this.#count})`);
    }
    if (typeof item === "string") return this.#text(item);
    if (!isBytes(item)) return this.#record(item);
    this.finish();
    // A copy: the producer may use its buffer again.
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
    // JSON has null for what it cannot express.
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
 * One request: its upload, its response, and the end of both. Of a "live" stream the records are
 * not the caller's; one that is "passed" on has somebody else to tell what became of them.
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
  let bytesReceived = 0; // Of results: control lines are taken off.
  let rejected = new Set<number>(); // Which lines after the last `:rejected` stand for errors,
  let passed = 0; // and how many came since.
  let lastInvalid: InvalidLine | undefined;

  /**
   * Yield the results of the response; control lines are understood and kept back.
   *
   * @param onAck is called with the number of input lines that the caller is done with.
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
          // Whoever has asked for more than what is above this line is done with that.
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
    let part: Buffer<ArrayBuffer>[] = []; // Of a control line.
    let isAtStart = true; // Of a line.
    let last = Buffer.alloc(0); // What may hold the line that ends the stream.
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
      const detail = `this is no result: ${line.slice(0, 80)}`;
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

  /** Throw if the response does not hold all that became of what was sent. */
  function checkEnd(): void {
    if (!summary) throw new ForstError("cut", "the response stopped before its :end", 200, lines);
    const { bytes_in, bytes_out, records, errors, errors_by_code = {} } = summary;
    // Its digest is not checked: Node has no XXH3.
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

  /** Yield the response's body as it comes, and watch that it does: there are heartbeats. */
  async function* body(): AsyncGenerator<Bytes, void, undefined> {
    try {
      const response = await open();
      if (response.status !== 200) throw await timed(refusal(response));
      const reader = response.body?.getReader();
      // fetch forgets its signal at the next garbage collection after the head of the response.
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

  /** Send the request and return its response, whatever it is, as soon as that has a head. */
  function open(): Promise<Response> {
    return (opening ??= request());
  }

  /** End both sides, whatever they are doing. */
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
      // fetch sends nothing before the first chunk, and counts that time as the server's.
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
        await turn(); // Other connections of its age may turn out to be closed, too.
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
      // Else fetch keeps all of the body, to send it again to where a redirect leads.
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
      const detail = `no sign of life from the server for ${timeoutMs} ms`;
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

const LONGEST_TIMEOUT = 2 ** 31 - 1; // Timers take what is longer for no time at all.
const ATTEMPTS = 3;
const MOST_KEPT = 1 << 20; // Bytes that may be sent before an answer, and sent again.

/** Tell whether a request met a connection that the server had closed, so that none was begun. */
function wasClosed(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: string } };
  return ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"].includes(cause?.code ?? "");
}

/** Keep the chunks of a body that may have to be sent again, until it has been answered. */
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

/** Read the error line that ends some result lines, if there is one. */
function invalidLine(results: Buffer): InvalidLine | undefined {
  try {
    const line = JSON.parse(results.toString().trimEnd().split("\n").at(-1) ?? "") as Result;
    return line.status === "error" ? line : undefined;
  } catch {
    return undefined;
  }
}

/** Make a stream that is pulled, and holds nothing. */
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
  const detail = problem.detail ?? `the answer is ${response.status} ${response.statusText}`;
  return new ForstError(problem.code ?? "refused", detail, response.status);
}
