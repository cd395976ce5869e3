/** One request and its response, both in progress at the same time. */

import { utf8Decoder } from "./bytes.js";
import { ForstError } from "./errors.js";
import { timer } from "./platform.js";
import { isError, isRetriable, retryAfterMs } from "./retry.js";
import { FRAMES, RETRIABLE_STATUSES } from "./wire.js";
import type { Exchange, Transport, TransportRequest, TransportResponse } from "./transport.js";

const FRAMES_NAME = FRAMES.toLowerCase();
const PROBLEM_TIMEOUT_MS = 5_000; // Time limit for receiving an error response.
const MAX_PROBLEM_SIZE = 1 << 16;

/** The body of a request. */
export interface Body {
  /** Sent before the server has accepted the stream, because it needs this to decide. */
  head?: Uint8Array;
  /** Return the next piece, undefined at the end. */
  next?(): Promise<Uint8Array | undefined>;
}

/** A streaming request. */
export class Connection {
  /** Whether the server has accepted the stream. */
  accepted = false;
  /** Whether the body has been sent to its end. */
  hasSentAll = false;
  /** Bytes of the body sent so far, before compression and without its head. */
  sent = 0;
  private readonly transport: Transport;
  private readonly request: TransportRequest;
  private readonly body: Body;
  private readonly place: string;
  private readonly timeoutMs: number;
  private readonly isEager: boolean;
  private exchange: Exchange | undefined;
  private response: TransportResponse | undefined;
  private stoppedBy: { error: unknown } | undefined;
  private idleTimer: IdleTimer | undefined;

  /**
   * @param place names the server's endpoint in messages.
   * @param isEager whether to send the body before the server has accepted the stream: other servers
   *   start their response late. They also send no heartbeats, so time in which there is nothing to
   *   send does not count towards the timeout.
   */
  constructor(
    transport: Transport,
    request: TransportRequest,
    body: Body,
    place: string,
    timeoutMs: number,
    isEager: boolean,
  ) {
    this.transport = transport;
    this.request = request;
    this.body = body;
    this.place = place;
    this.timeoutMs = timeoutMs;
    this.isEager = isEager;
  }

  /** Whether the server says that the response has control lines. */
  get hasFrames(): boolean {
    return this.response?.headers[FRAMES_NAME] !== undefined;
  }

  /** Send the head of the request; wait until the server accepts the stream. */
  async open(): Promise<void> {
    const { head, next } = this.body;
    const request = { ...this.request, body: next ? undefined : (head ?? new Uint8Array(0)) };
    const isEager = this.isEager || !this.transport.sendsHeadFirst;
    let cancelTimeout = (): void => {};
    if (this.isEager) this.startIdleTimer();
    else cancelTimeout = timer(() => this.stop(this.notAccepted()), this.timeoutMs);
    try {
      const exchange = this.transport.open(request);
      this.exchange = exchange;
      if (next && head) exchange.write(head).catch(() => {}); // The response tells what is wrong.
      if (!next) this.hasSentAll = true;
      else if (isEager) void this.upload(exchange);
      this.response = await exchange.response;
    } catch (error) {
      if (this.stoppedBy) throw this.stoppedBy.error;
      if ((error as Error | undefined)?.name === "TypeError" && !this.exchange) throw error;
      const detail = `${this.place} cannot be reached: ${reason(error)}`;
      throw new ForstError("unreachable", detail, { cause: error, retriable: isRetriable(error) });
    } finally {
      cancelTimeout();
    }
    if (this.stoppedBy) throw this.stoppedBy.error;
    if (this.response.status !== 200) throw await this.refusal(this.response);
    this.accepted = true;
    if (!this.isEager) this.startIdleTimer();
    if (next && !isEager) void this.upload(this.exchange);
  }

  /** Return all parts of the response that have arrived, waiting for one; none at its end. */
  async read(): Promise<Uint8Array[]> {
    const { response, idleTimer } = this;
    if (!response || !idleTimer) throw new Error("the connection is not open");
    const parts: Uint8Array[] = [];
    let failure: { error: unknown } | undefined;
    let part = response.take?.();
    if (!part) {
      idleTimer.wait();
      try {
        part = await response.read();
      } catch (error) {
        failure = { error };
      }
      idleTimer.isWaiting = false;
    }
    idleTimer.hasMoved = true;
    if (this.stoppedBy) throw this.stoppedBy.error;
    if (failure) throw this.lost(reason(failure.error), failure.error);
    for (; part; part = response.take?.()) parts.push(part);
    return parts;
  }

  /** Return the error of a connection that ended before the stream did. */
  lost(why: string, cause?: unknown): ForstError {
    const detail = `the connection to ${this.place} was lost: ${why}`;
    return new ForstError("cut", detail, { status: 200, retriable: true, cause });
  }

  /** Close the connection, and make `open` or `read` throw the error. */
  stop(error: unknown): void {
    this.stoppedBy ??= { error };
    this.close();
  }

  /** Close the connection at once. */
  close(): void {
    this.idleTimer?.stop();
    this.exchange?.destroy();
  }

  private startIdleTimer(): void {
    this.idleTimer = new IdleTimer(this.timeoutMs, () => this.stop(this.idle()));
    if (this.isEager) this.idleTimer.wait(); // For the response to start.
  }

  private async upload(exchange: Exchange): Promise<void> {
    const { next } = this.body;
    if (!next) return;
    let isWriting = false;
    try {
      for (;;) {
        if (this.idleTimer) this.idleTimer.isSuspended = this.isEager;
        const piece = await next();
        if (this.idleTimer) {
          this.idleTimer.isSuspended = false;
          this.idleTimer.hasMoved = true;
        }
        if (!piece) break;
        this.sent += piece.length;
        isWriting = true;
        await exchange.write(piece);
        isWriting = false;
      }
      exchange.end();
      this.hasSentAll = true;
    } catch (error) {
      // The response says more about why nothing can be written.
      if (!isWriting) this.stop(error);
    }
  }

  private notAccepted(): ForstError {
    const detail =
      `${this.place} did not accept the stream within ${this.timeoutMs} ms; does a proxy buffer ` +
      'the request until its end, or is this a server of another kind (frames: "auto")?';
    return new ForstError("timeout", detail, { retriable: true });
  }

  private idle(): ForstError {
    const detail = `no data from ${this.place} for ${this.timeoutMs} ms (timeoutMs)`;
    return new ForstError("timeout", detail, { retriable: true });
  }

  private async refusal(response: TransportResponse): Promise<ForstError> {
    const cancelTimeout = timer(() => this.close(), PROBLEM_TIMEOUT_MS);
    const decoder = utf8Decoder();
    let text = "";
    try {
      while (text.length < MAX_PROBLEM_SIZE) {
        const data = await response.read();
        if (!data) break;
        text += decoder.decode(data, { stream: true });
      }
    } catch {
      // What arrived is enough.
    } finally {
      cancelTimeout();
    }
    const { status } = response;
    const { code, detail } = problemOf(text);
    const location = response.headers["location"];
    const redirect = location && `redirects are not followed; this one leads to ${location}`;
    const found = detail ?? redirect ?? `the response is ${status} ${response.reason}`.trim();
    return new ForstError(code ?? "refused", found, {
      status,
      retriable: RETRIABLE_STATUSES.has(status),
      retryAfterMs: retryAfterMs(response.headers),
    });
  }
}

function problemOf(text: string): { code?: string; detail?: string } {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    return {
      ...(typeof code === "string" && { code }),
      ...(typeof detail === "string" && { detail }),
    };
  } catch {
    return {};
  }
}

/** Describe what happened in a message. */
export function reason(error: unknown): string {
  const { message, cause, code, errors } = error as {
    message?: string;
    cause?: unknown;
    code?: string;
    errors?: unknown[];
  };
  const inner = errors?.[0] ?? cause;
  const text = message || code || String(error);
  return isError(inner) ? `${message ? `${text}: ` : ""}${reason(inner)}` : text;
}

/**
 * Detects that nothing moves on a connection while somebody waits for it.
 *
 * It counts ticks, not milliseconds: a process that does not run must not look like a dead server.
 * While nobody waits there are none, so that a stream that was abandoned is not kept in memory.
 */
class IdleTimer {
  isWaiting = false;
  isSuspended = false;
  hasMoved = false;
  private static readonly ticks = 4;
  private idleTicks = 0;
  private isTicking = false;
  private hasStopped = false;
  private cancel: () => void = () => {};
  private readonly ms: number;
  private readonly onIdle: () => void;

  constructor(ms: number, onIdle: () => void) {
    this.ms = ms;
    this.onIdle = onIdle;
  }

  wait(): void {
    this.isWaiting = true;
    if (!this.isTicking && !this.hasStopped) this.start();
  }

  stop(): void {
    this.hasStopped = true;
    this.cancel();
  }

  private start(): void {
    this.isTicking = true;
    this.cancel = timer(() => this.tick(), this.ms / IdleTimer.ticks);
  }

  private tick(): void {
    const isIdle = this.isWaiting && !this.isSuspended && !this.hasMoved;
    this.idleTicks = isIdle ? this.idleTicks + 1 : 0;
    this.hasMoved = false;
    this.isTicking = false;
    if (this.idleTicks > IdleTimer.ticks) this.onIdle();
    else if (this.isWaiting) this.start();
  }
}
