/** One request and its response, both in progress at the same time. */

import { ForstError } from "./errors.js";
import { timer } from "./platform.js";
import { isRetriable } from "./retry.js";
import type { Exchange, Transport, TransportRequest, TransportResponse } from "./transport.js";

const PROBLEM_TIMEOUT_MS = 5_000; // In which an error response has to arrive.
const MAX_PROBLEM_SIZE = 1 << 16;

/** The body of a request. */
export interface Body {
  /** Sent before the server has accepted the stream: what it needs to decide that. */
  head?: Uint8Array;
  /** Return the next piece, undefined at the end. */
  next?(): Promise<Uint8Array | undefined>;
}

/** A streaming request. */
export class Connection {
  /** Whether the server has accepted the stream. */
  accepted = false;
  /** Bytes of the body sent so far, before compression and without its head. */
  sent = 0;
  private readonly transport: Transport;
  private readonly request: TransportRequest;
  private readonly body: Body;
  private readonly place: string;
  private readonly timeoutMs: number;
  private exchange: Exchange | undefined;
  private response: TransportResponse | undefined;
  private stoppedBy: { error: unknown } | undefined;
  private idleTimer: IdleTimer | undefined;

  /** @param place names the server's endpoint in messages. */
  constructor(
    transport: Transport,
    request: TransportRequest,
    body: Body,
    place: string,
    timeoutMs: number,
  ) {
    this.transport = transport;
    this.request = request;
    this.body = body;
    this.place = place;
    this.timeoutMs = timeoutMs;
  }

  /** Send the head of the request; wait until the server accepts the stream. */
  async open(): Promise<void> {
    const { head, next } = this.body;
    const request = { ...this.request, body: next ? undefined : (head ?? new Uint8Array(0)) };
    const cancelTimeout = timer(() => this.stop(this.notAccepted()), this.timeoutMs);
    try {
      const exchange = this.transport.open(request);
      this.exchange = exchange;
      if (next && head) exchange.write(head).catch(() => {}); // The response tells what is wrong.
      if (next && !this.transport.sendsHeadFirst) void this.upload(exchange);
      this.response = await exchange.response;
    } catch (error) {
      if (this.stoppedBy) throw this.stoppedBy.error;
      if (error instanceof TypeError && !this.exchange) throw error;
      const detail = `${this.place} cannot be reached: ${reason(error)}`;
      throw new ForstError("unreachable", detail, { cause: error, retriable: isRetriable(error) });
    } finally {
      cancelTimeout();
    }
    if (this.stoppedBy) throw this.stoppedBy.error;
    if (this.response.status !== 200) throw await this.refusal(this.response);
    this.accepted = true;
    this.idleTimer = new IdleTimer(this.timeoutMs, () => this.stop(this.idle()));
    if (next && this.transport.sendsHeadFirst) void this.upload(this.exchange);
  }

  /** Return the next part of the response, undefined at its end. */
  async read(): Promise<Uint8Array | undefined> {
    const { response, idleTimer } = this;
    if (!response || !idleTimer) throw new Error("the connection is not open");
    idleTimer.isWaiting = true;
    let data: Uint8Array | undefined;
    let failure: { error: unknown } | undefined;
    try {
      data = await response.read();
    } catch (error) {
      failure = { error };
    }
    idleTimer.isWaiting = false;
    idleTimer.hasMoved = true;
    if (this.stoppedBy) throw this.stoppedBy.error;
    if (failure) throw this.lost(reason(failure.error), failure.error);
    return data;
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

  private async upload(exchange: Exchange): Promise<void> {
    const { next } = this.body;
    if (!next) return;
    let isWriting = false;
    try {
      for (let piece = await next(); piece; piece = await next()) {
        this.sent += piece.length;
        if (this.idleTimer) this.idleTimer.hasMoved = true;
        isWriting = true;
        await exchange.write(piece);
        isWriting = false;
      }
      exchange.end();
    } catch (error) {
      // The response says more about why nothing can be written.
      if (!isWriting) this.stop(error);
    }
  }

  private notAccepted(): ForstError {
    const detail =
      `${this.place} did not accept the stream within ${this.timeoutMs} ms; does a proxy buffer ` +
      "the request until its end?";
    return new ForstError("timeout", detail, { retriable: true });
  }

  private idle(): ForstError {
    const detail = `no data from ${this.place} for ${this.timeoutMs} ms (timeoutMs)`;
    return new ForstError("timeout", detail, { retriable: true });
  }

  private async refusal(response: TransportResponse): Promise<ForstError> {
    const cancelTimeout = timer(() => this.close(), PROBLEM_TIMEOUT_MS);
    const decoder = new TextDecoder();
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
    const after = Number(response.headers["retry-after"] ?? NaN);
    return new ForstError(code ?? "refused", found, {
      status,
      retriable: [502, 503, 504].includes(status),
      retryAfterMs: after >= 0 ? after * 1000 : undefined,
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

/** Return what happened, for people. */
export function reason(error: unknown): string {
  const { message, cause, code, errors } = error as {
    message?: string;
    cause?: unknown;
    code?: string;
    errors?: unknown[];
  };
  const inner = errors?.[0] ?? cause;
  const text = message || code || String(error);
  return inner instanceof Error ? `${message ? `${text}: ` : ""}${reason(inner)}` : text;
}

/**
 * Detects that nothing moves on a connection while somebody waits for it.
 *
 * It counts ticks, not milliseconds: a process that does not run must not look like a dead server.
 */
class IdleTimer {
  isWaiting = false;
  hasMoved = false;
  private static readonly ticks = 4;
  private idleTicks = 0;
  private cancel: () => void = () => {};
  private readonly ms: number;
  private readonly onIdle: () => void;

  constructor(ms: number, onIdle: () => void) {
    this.ms = ms;
    this.onIdle = onIdle;
    this.start();
  }

  stop(): void {
    this.cancel();
  }

  private start(): void {
    this.cancel = timer(() => this.tick(), this.ms / IdleTimer.ticks);
  }

  private tick(): void {
    this.idleTicks = this.isWaiting && !this.hasMoved ? this.idleTicks + 1 : 0;
    this.hasMoved = false;
    this.start();
    if (this.idleTicks > IdleTimer.ticks) this.onIdle();
  }
}
