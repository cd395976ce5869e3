/** The options of clients and streams, and their effect on requests. */

import type { UrlLike } from "./address.js";
import {
  checkConfig,
  defaultStreamingConfig,
  retryConfig,
  type RetryConfig,
  type StreamingConfig,
} from "./config.js";
import type { Optional } from "./given.js";
import type { TlsOptions } from "./node-transport.js";
import type { PlatformSignal } from "./platform.js";
import type { InvalidLine, OnError, Summary } from "./records.js";
import type { StreamStatus } from "./transfer.js";
import type { Transport } from "./transport.js";
import { ON_ERROR } from "./wire.js";

/** Whether a server has to send control lines. */
export type Frames = "required" | "auto";

/** `Headers`, for compilers whose `Headers` is not iterable. */
export interface HeadersLike {
  forEach(call: (value: string, name: string) => void): void;
}

/** Settings that a client has, and each of its streams can override. */
export interface CommonOptions extends Optional<Omit<StreamingConfig, "retry">> {
  /** Additional request headers, as an object, or as `Headers`. */
  headers?:
    | Record<string, string | undefined>
    | Iterable<readonly [string, string]>
    | HeadersLike
    | undefined;
  /**
   * Milliseconds without any data from the server after which a connection fails (30,000); 0 for
   * never. Must be more than the server's `heartbeat`. Pauses of producers and consumers do not
   * count.
   */
  timeoutMs?: number | undefined;
  /** When to connect again. */
  retry?: Optional<RetryConfig> | undefined;
}

/** Options of a client. */
export interface ClientOptions extends CommonOptions {
  /** Bearer token. */
  token?: string | undefined;
  /** TLS options, for custom certificate authorities or a client certificate. */
  tls?: TlsOptions | undefined;
  /** How requests are sent, instead of by node:http, by WebSockets in pages, and by fetch elsewhere. */
  transport?: Transport | undefined;
}

/** Where a server is, and options. */
export interface ClientConfig extends ClientOptions {
  /** `http://…`, `https://…` or `http+unix:///path/of/the.sock`. */
  baseUrl: string | UrlLike;
}

/** Options of one stream, which override those of the client. */
export interface StreamOptions<Mode extends OnError = OnError> extends CommonOptions {
  /**
   * What to do with an invalid line; the default, "skip", counts it. A stream with only invalid
   * lines fails in any case. If neither this nor `onEnd` nor `onDrop` is set, `console.warn` reports
   * the number of invalid lines.
   */
  onError?: Mode | undefined;
  /** Called with each line that "skip" leaves out. */
  onDrop?: ((line: InvalidLine) => void) | undefined;
  /**
   * Whether to keep lines until they are acknowledged, and to send them again over a new connection
   * when one is lost: each result comes once and in order. By default only `processLargeDataset`
   * does so. Side effects of the server's processor may happen twice.
   */
  resume?: boolean | undefined;
  /**
   * Whether the server has to send control lines, which prove that nothing is missing. "auto" is for
   * any server that answers NDJSON with NDJSON: without control lines, a response is complete if
   * HTTP says so, and a lost connection fails the stream. The default is "required".
   */
  frames?: Frames | undefined;
  /** Ends the stream; the caller gets its reason as the error. */
  signal?: PlatformSignal | undefined;
  /** Called with the counts at the successful end of a stream. */
  onEnd?: ((summary: Summary) => void) | undefined;
  /**
   * Called when records of a live stream are missing at this place, with their number if that is
   * known. Without it, `console.warn` reports them.
   */
  onMissed?: ((count: number | undefined) => void) | undefined;
  /** Called when a connection is made or lost, and at the end. */
  onStatus?: ((status: StreamStatus) => void) | undefined;
}

/** The types of the options of clients and streams. */
export const OPTION_TYPES: Record<string, string> = {
  bufferSize: "number",
  chunkSize: "number",
  compression: "boolean",
  frames: "string",
  headers: "object",
  onDrop: "function",
  onEnd: "function",
  onError: "string",
  onMissed: "function",
  onStatus: "function",
  resume: "boolean",
  retry: "object",
  signal: "object",
  timeout: "number",
  timeoutMs: "number",
  tls: "object",
  token: "string",
  transport: "object",
  workers: "number",
};

/** Return the settings of a stream. */
export function configOf(...all: CommonOptions[]): StreamingConfig {
  const config = {
    ...defaultStreamingConfig,
    retry: retryConfig(...all.map(({ retry }) => retry)),
  };
  for (const { chunkSize, timeout, timeoutMs, bufferSize, workers, compression } of all) {
    config.chunkSize = chunkSize ?? config.chunkSize;
    config.timeout = timeoutMs ?? timeout ?? config.timeout;
    config.bufferSize = bufferSize ?? config.bufferSize;
    config.workers = workers ?? config.workers;
    config.compression = compression ?? config.compression;
  }
  checkConfig(config);
  return config;
}

/** Return the headers that options ask for, with names in lower case; later ones count. */
export function headersOf(...all: CommonOptions[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { headers = {} } of all) {
    const isList = Symbol.iterator in headers;
    const pairs = (isList ? headers : Object.entries(headers)) as Iterable<[string, unknown]>;
    for (const [name, value] of pairs) {
      if (value !== undefined) found[name.toLowerCase()] = `${value}`;
    }
  }
  return found;
}

/** Return the mode that a stream has, by its option or its header. */
export function modeOf(options: StreamOptions, headers: Record<string, string>): OnError {
  return options.onError ?? ((headers[ON_ERROR.toLowerCase()] as OnError | undefined) ?? "skip");
}

/** Return whether the server of a stream has to send control lines. */
export function needsFrames({ frames = "required" }: StreamOptions, resume: boolean): boolean {
  if (frames === "required") return true;
  if (frames !== "auto") throw new RangeError(`frames must be "required" or "auto", not ${frames}`);
  if (resume) {
    throw new RangeError(
      'a stream that resumes needs the acknowledgements of frames: "required": without them nobody ' +
        "knows where to resume",
    );
  }
  return false;
}
