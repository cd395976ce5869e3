/**
 * A client of forstcore in one file without dependencies: copy it into your project.
 *
 * It needs Node 20 or newer, whose `fetch` sends and receives at the same time. Browsers send
 * everything before they read anything.
 */

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
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
  digest: string;
};

export type ClientOptions = {
  /** Bearer token. */
  token?: string;
  /** More request headers. */
  headers?: Record<string, string>;
  /**
   * Milliseconds without a sign of life after which a server is given up (30,000). Has to be more
   * than the server's `heartbeat`; slow producers and consumers do not count.
   */
  timeoutMs?: number;
  /** About how many bytes of what the producer has ready are sent together (65,536). */
  chunkSize?: number;
};

export type StreamOptions = ClientOptions & {
  /** What becomes of a line that is no record: "skip" counts it, and is the default. */
  onError?: "skip" | "emit" | "fail";
  /** Ends the stream; its reason is what the caller gets. */
  signal?: AbortSignal;
  /** Called with the counts of a stream that ended well. */
  onEnd?: (summary: Summary) => void;
};

type Items<T> = AsyncIterable<T> | Iterable<T>;
type Bytes = Uint8Array<ArrayBuffer>;

/** A request was refused, or a stream failed. What a producer throws comes as it is instead. */
export class ForstError extends Error {
  override readonly name = "ForstError";
  /**
   * The server's word for what happened, or one of this client: "refused" (the answer was no
   * stream), "unreachable" (there was none), "cut" (the stream stopped before its end), "timeout".
   */
  readonly code: string;
  readonly detail: string;
  /** The HTTP status, where there is one. */
  readonly status: number | undefined;
  /** How many input lines have all their results in what the caller got. */
  readonly lines: number;

  constructor(code: string, detail: string, status?: number, lines = 0, options?: ErrorOptions) {
    super(`${detail} (${code})`, options);
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
    records: Items<StreamingRecord>,
    options: StreamOptions = {},
  ): AsyncGenerator<Result, void, undefined> {
    const toLine = (record: StreamingRecord) => `${JSON.stringify(record)}\n`;
    return exchangeOf(this, endpoint, upload(records, toLine), options).results();
  }

  /**
   * Send NDJSON and return the response's body, both untouched.
   *
   * The returned stream fails with a ForstError if the request is refused or the response cut.
   */
  processStreamingData(
    endpoint: string,
    input: ReadableStream<Uint8Array> | Items<Uint8Array | string>,
    options: StreamOptions = {},
  ): ReadableStream<Bytes> {
    const chunks = upload(input as Items<Uint8Array | string>, (chunk) => chunk);
    const exchange = exchangeOf(this, endpoint, chunks, options);
    const body = exchange.body();
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
    input: { source: string; filters?: Record<string, unknown> },
    options: StreamOptions = {},
  ): AsyncGenerator<Result, void, undefined> {
    return live(this.#client, "/real-time-process", input, options);
  }

  /**
   * Answer a request to Express or to Node's own server by streaming its body through.
   *
   * Use it before any body parser. The response starts after the first byte of the body: `fetch`
   * sends nothing before that.
   *
   * @throws ForstError if the stream fails after the response has started; the response is cut.
   *   What fails before that is answered with a problem document.
   */
  async handleStreamingRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => PASSED_UP.test(name)),
    ) as Record<string, string>;
    // Not the request itself: who destroys that destroys the response.
    const input = request.pipe(new PassThrough());
    const chunks = upload<Uint8Array>(input, (chunk) => chunk);
    const exchange = exchangeOf(this.#client, this.#endpoint, chunks, { headers });
    response.once("close", () => void exchange.close());
    try {
      const upstream = await exchange.open();
      response.statusCode = upstream.status;
      for (const name of PASSED_DOWN) {
        const value = upstream.headers.get(name);
        if (value !== null) response.setHeader(name, value);
      }
      response.flushHeaders();
      if (upstream.status === 200) await pipeline(exchange.body(), response);
      else response.end(await upstream.text());
    } catch (error) {
      if (error instanceof ForstError && !response.headersSent) {
        const { code, detail } = error;
        const status = code === "timeout" ? 504 : 502;
        response.writeHead(status, { "Content-Type": "application/problem+json" });
        response.end(JSON.stringify({ status, code, detail }));
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
    headers: {
      ...options.headers,
      "Content-Type": "application/json",
      "Forst-Frames": "1",
      "Forst-Ack": ack,
    },
  });
  const asked = exchangeOf(client, endpoint, upload([order], (text) => text), all("if-needed"));
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
  const body = upload(acknowledgements(), (text) => text);
  yield* exchangeOf(client, endpoint, body, all("1")).results((lines) => {
    done = lines;
    wake();
  });
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

function upload<T>(items: Items<T>, encode: (item: T) => string | Uint8Array): Upload {
  const iterator =
    Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let asked: Promise<IteratorResult<T>> | undefined;
  let ended = false;

  async function ask(): Promise<IteratorResult<T>> {
    try {
      const item = await iterator.next();
      ended ||= item.done === true;
      return item;
    } catch (error) {
      ended = true;
      throw error;
    }
  }

  return {
    async next(size) {
      const parts: (string | Uint8Array)[] = [];
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
        if (item.done) break;
        const part = encode(item.value);
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

function joined(parts: (string | Uint8Array)[]): Bytes {
  if (parts.every((part) => typeof part === "string")) return Buffer.from(parts.join(""));
  return Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
}

/** One request: its upload, its response, and the end of both. */
function exchangeOf(
  client: ForstStreamingClient,
  endpoint: string,
  sent: Upload,
  own: StreamOptions,
) {
  const options = { ...client.options, ...own };
  const { token, onError, signal, onEnd, timeoutMs = 30_000, chunkSize = 65_536 } = options;
  // Compression costs more than it saves between two processes of one machine.
  const headers = new Headers({ "Accept-Encoding": "identity", ...client.options.headers });
  if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
  if (onError !== undefined) headers.set("Forst-On-Error", onError);
  new Headers(own.headers).forEach((value, name) => headers.set(name, value));

  const stop = new AbortController();
  const follow = () => void close(signal?.reason).catch(() => {});
  let opening: Promise<Response> | undefined;
  let lines = 0; // Acknowledged by the server.

  /**
   * Yield the results of the response; control lines are understood and kept back.
   *
   * @param onAck is called with the number of input lines that the caller is done with.
   */
  async function* results(
    onAck: (lines: number) => void = () => {},
  ): AsyncGenerator<Result, void, undefined> {
    headers.set("Forst-Frames", "1");
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let tail = "";
    let summary: Summary | undefined;
    let places = new Set<number>(); // Which lines after the last `:rejected` stand for errors,
    let passed = 0; // and how many came since.
    for await (const chunk of body(true)) {
      const text = decoder.decode(chunk, { stream: true });
      const end = text.lastIndexOf("\n") + 1;
      if (end === 0) {
        tail += text;
        continue;
      }
      const whole = (tail + text.slice(0, end - 1)).split("\n");
      tail = text.slice(end);
      for (const line of whole) {
        if (!line.startsWith(":")) {
          const result = JSON.parse(line) as Result;
          passed += 1;
          if (places.has(passed)) invalid.add(result);
          yield result;
        } else if (line.startsWith(":rejected ")) {
          places = new Set(line.slice(10).split(" ").map(Number));
          passed = 0;
        } else if (line.startsWith(":ack ")) {
          lines = Number(line.slice(5));
          onAck(lines); // Whoever has asked for more than what is above this line is done with that.
        } else if (line.startsWith(":end ")) {
          // Its digest is not checked: Node has no XXH3.
          summary = JSON.parse(line.slice(5)) as Summary;
        } else if (line.startsWith(":error ")) {
          const { code, detail, status } = JSON.parse(line.slice(7)) as ForstError;
          throw new ForstError(code, detail, status, lines);
        }
      }
    }
    if (!summary) throw new ForstError("cut", "the response stopped before its :end", 200, lines);
    onEnd?.(summary);
  }

  /** Yield the response's body as it comes; with `heartbeats`, watch that it does. */
  async function* body(heartbeats = false): AsyncGenerator<Bytes, void, undefined> {
    try {
      const response = await open();
      if (response.status !== 200) throw await timed(refusal(response));
      const reader = response.body?.getReader();
      // fetch forgets its signal at the next garbage collection after the head of the response.
      stop.signal.addEventListener("abort", () => void reader?.cancel().catch(() => {}));
      for (;;) {
        const chunk = await (heartbeats ? timed(reader?.read()) : reader?.read());
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
      // fetch sends nothing before the first chunk, and counts that time as the server's.
      let first: Promise<Bytes | undefined> | undefined = next();
      await Promise.race([first, once(stop.signal, "abort")]);
      stop.signal.throwIfAborted();
      const init: RequestInit & { duplex: "half" } = {
        method: "POST",
        headers,
        body: streamOf(() => {
          const chunk = first ?? next();
          first = undefined;
          return chunk;
        }),
        duplex: "half",
        // Else fetch keeps all of the body, to send it again to where a redirect leads.
        redirect: "error",
        signal: stop.signal,
      };
      const path = endpoint.replace(/^\/+/, "");
      return await timed(fetch(`${client.baseUrl}/${path}`, init));
    } catch (error) {
      const reason = failure("unreachable", error);
      await close().catch(() => {});
      throw reason;
    }
  }

  async function next(): Promise<Bytes | undefined> {
    try {
      return await sent.next(chunkSize);
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  }

  async function timed<T>(step: T): Promise<Awaited<T>> {
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

  return { results, body, open, close };
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
