/** The loop behind every stream: connect, send, read, and resume after a loss. */

import type { ServerAddress } from "./address.js";
import type { StreamingConfig } from "./config.js";
import { Connection } from "./connection.js";
import { ForstError, ProducerError } from "./errors.js";
import { FrameReader, withoutBlankLines, type Piece } from "./frames.js";
import { onAbort, pause } from "./platform.js";
import type { Summary } from "./records.js";
import { pauseBefore } from "./retry.js";
import type { StreamRequest } from "./stream-request.js";
import type { Transport } from "./transport.js";
import { FRAMES } from "./wire.js";

/** Events of a stream other than results. */
export type StreamStatus =
  | { type: "connecting"; connection: number }
  | { type: "connected"; connection: number }
  | { type: "retrying"; error: ForstError; pauseMs: number }
  | { type: "ended"; summary: Summary | undefined };

/** Reports of a stream to its caller. */
export interface Listeners {
  onMissed(count: number | undefined): void;
  onStatus(status: StreamStatus): void;
  onEnd(summary: Summary): void;
}

/** Where and how a stream is sent. */
export interface Target {
  address: ServerAddress;
  transport: Transport;
  endpoint: string;
  /** Names are in lower case. */
  headers: Record<string, string>;
  /** Whether the response must have control lines; if not, only that of a server that sends them. */
  needsFrames: boolean;
}

// The transport does the framing, and the headers of a proxy's own request do not apply here.
const IGNORED_HEADERS = [
  "connection",
  "content-encoding",
  "content-length",
  "host",
  "transfer-encoding",
];

const LEFT = Symbol("left");

/** Sends a request and receives its results, over as many connections as it takes. */
export class Transfer {
  /** Connections made so far. */
  connections = 0;
  /** The server's summary at the end of the last connection. */
  summary: Summary | undefined;
  /** How many records a live stream left out so far, undefined if that is unknown. */
  missed: number | undefined = 0;
  private readonly target: Target;
  private readonly request: StreamRequest;
  private readonly config: StreamingConfig;
  private readonly listeners: Listeners;
  private readonly signal: AbortSignal | undefined;
  private readonly stopping = new AbortController();
  private stoppedBy: { error: unknown } | undefined;
  private failures = 0; // Since the last progress.
  private connection: Connection | undefined;

  constructor(
    target: Target,
    request: StreamRequest,
    config: StreamingConfig,
    listeners: Listeners,
    signal: AbortSignal | undefined,
  ) {
    this.target = target;
    this.request = request;
    this.config = config;
    this.listeners = listeners;
    this.signal = signal;
  }

  get lines(): number {
    return this.request.lines;
  }

  get offset(): string | undefined {
    return this.request.offset;
  }

  /** Run the stream; yield pieces of whole result lines as they come. */
  async *pieces(): AsyncGenerator<Piece[], void, undefined> {
    const { request, signal } = this;
    const unfollow = signal && onAbort(signal, () => this.stop(signal.reason));
    try {
      if (signal?.aborted) this.stop(signal.reason);
      for (;;) {
        const connection = this.connect();
        try {
          const frames = new FrameReader(request.resume);
          await this.open(connection);
          let isOpen = true;
          while (isOpen) {
            const data = await connection.read();
            const before = request.lines;
            // Not by another generator, which would take a third of the time.
            for (const results of this.received(data, frames, connection)) {
              if (results.length > 0) {
                let isLeft = true;
                try {
                  yield results;
                  isLeft = false;
                } finally {
                  if (isLeft) await request.leave(connection);
                }
                if (this.stoppedBy) throw this.stoppedBy.error;
              }
              const delivered = request.delivered();
              if (delivered) await delivered;
            }
            if (request.lines > before) this.failures = 0;
            if (frames.error) throw frames.error;
            isOpen = data.length > 0;
          }
          this.ended(frames, connection);
          return;
        } catch (error) {
          await this.recover(error, connection);
        } finally {
          connection.close();
        }
        this.summary = undefined;
        if (connection.accepted && !(await this.unlessStopped(request.hasMore()))) {
          this.listeners.onStatus({ type: "ended", summary: undefined });
          return;
        }
      }
    } catch (error) {
      if (error === LEFT) return;
      throw error instanceof ProducerError ? error.thrown : error;
    } finally {
      unfollow?.();
      await request.close();
    }
  }

  /** End the stream without an error, also for code that waits for its results. */
  leave(): Promise<void> {
    this.stop(LEFT);
    return this.request.close();
  }

  /** End the stream; throw an error to the code that iterates over it. */
  stop(error: unknown): void {
    this.stoppedBy ??= { error };
    this.connection?.stop(this.stoppedBy.error);
    this.stopping.abort();
    this.request.close().catch(() => {});
  }

  private async open(connection: Connection): Promise<void> {
    await connection.open();
    if (this.request.acceptIsProgress) this.failures = 0;
    this.listeners.onStatus({ type: "connected", connection: this.connections });
  }

  /** Return what the caller gets of received data, or of its end. */
  private received(
    data: readonly Uint8Array[],
    frames: FrameReader,
    connection: Connection,
  ): Iterable<Piece[]> {
    if (data.length === 0) {
      if (this.hasFrames(frames, connection)) return [];
      if (!connection.hasSentAll) throw connection.lost("the response ended before the request");
      return [withoutBlankLines(frames.rest())];
    }
    let pieces = frames.feed(data);
    if (!this.hasFrames(frames, connection)) pieces = withoutBlankLines(pieces);
    if (frames.missed.length > 0) this.countMissed(frames.missed);
    return this.request.deliver(pieces, frames);
  }

  /** Check that a response is complete. */
  private ended(frames: FrameReader, connection: Connection): void {
    if (this.hasFrames(frames, connection)) {
      if (!frames.summary) throw connection.lost(withoutEnd(frames, connection));
      this.summary = frames.summary;
      this.request.check(frames.summary, connection);
    }
    this.listeners.onStatus({ type: "ended", summary: this.summary });
    if (this.summary) this.listeners.onEnd(this.summary);
  }

  private hasFrames(frames: FrameReader, connection: Connection): boolean {
    return this.target.needsFrames || frames.hasFrames || connection.hasFrames;
  }

  private connect(): Connection {
    if (this.stoppedBy) throw this.stoppedBy.error;
    const { address, transport, endpoint, needsFrames } = this.target;
    const { compression, timeout } = this.config;
    const headers = { ...this.target.headers };
    for (const name of IGNORED_HEADERS) delete headers[name];
    headers[FRAMES.toLowerCase()] = "1";
    headers["accept-encoding"] = compression ? "gzip" : "identity";
    if (address.token !== undefined) headers["authorization"] ??= `Bearer ${address.token}`;
    const body = this.request.begin(headers);
    const compress = compression && this.request.compressible;
    if (compress) headers["content-encoding"] = "gzip";
    this.connections++;
    this.listeners.onStatus({ type: "connecting", connection: this.connections });
    const request = {
      url: address.url(endpoint),
      socketPath: address.socketPath,
      method: "POST",
      headers,
      body: undefined,
      compress,
      decompress: compression,
    };
    const place = address.describe(endpoint);
    this.connection = new Connection(transport, request, body, place, timeout, !needsFrames);
    return this.connection;
  }

  /** Wait before the next connection; throw if there is to be none. */
  private async recover(error: unknown, connection: Connection): Promise<void> {
    connection.close();
    if (!(error instanceof ForstError) || this.stoppedBy) throw error;
    const { request, config } = this;
    error.lines = this.lines;
    if (request.reconnectsAtOnce(error, connection)) return;
    this.failures++;
    const canRetry = error.retriable && (request.resume || !request.isConsumed(connection));
    if (!canRetry || this.failures >= config.retry.attempts) throw error;
    const pauseMs = Math.max(pauseBefore(config.retry, this.failures), error.retryAfterMs ?? 0);
    this.listeners.onStatus({ type: "retrying", error, pauseMs });
    await pause(pauseMs, this.stopping.signal);
  }

  private async unlessStopped<T>(step: Promise<T>): Promise<T> {
    step.catch(() => {});
    const { signal } = this.stopping;
    let stop = (): void => {};
    const stopped = new Promise<void>((resolve) => (stop = resolve));
    signal.addEventListener("abort", stop);
    if (!this.stoppedBy) await Promise.race([step, stopped]);
    signal.removeEventListener("abort", stop);
    if (this.stoppedBy) throw this.stoppedBy.error;
    return await step;
  }

  private countMissed(counts: (number | undefined)[]): void {
    for (const count of counts) {
      this.missed =
        count === undefined || this.missed === undefined ? undefined : this.missed + count;
      this.listeners.onMissed(count);
    }
  }
}

/** Return what is wrong with a response that ended without `:end`. */
function withoutEnd(frames: FrameReader, connection: Connection): string {
  const why = "the response ended before its :end line";
  if (frames.hasFrames || connection.hasFrames) return why;
  return `${why}, and had no control lines; other servers than forstcore need frames: "auto"`;
}
