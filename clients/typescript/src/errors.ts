/** The error of all streams. */

import type { InvalidLine } from "./records.js";

/** Details of a failure in addition to its code and description. */
export interface ForstErrorDetails {
  status?: number | undefined;
  lines?: number;
  retriable?: boolean;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

const BRAND = Symbol.for("forstcore.ForstError");

/**
 * A request was refused, or a stream failed. Errors of a producer are thrown unchanged instead, and
 * input that cannot be sent is a TypeError that names the record.
 */
export class ForstError extends Error {
  override readonly name = "ForstError" as string;
  /**
   * A code of the server, or of this client: "refused" (the response was not a stream),
   * "unreachable" (there was no response), "cut" (the connection was lost before the end),
   * "timeout", "corrupt" (data was lost or changed), "protocol" (the response violates the wire
   * contract), "no_records" (every line was rejected), "line_too_long" (a line cannot be kept to
   * be sent again).
   */
  readonly code: string;
  /** The description without the code. */
  readonly detail: string;
  /** The HTTP status, if there is one. */
  readonly status: number | undefined;
  /** Whether another attempt may succeed. */
  readonly retriable: boolean;
  /** How long the server asks to wait before another attempt. */
  readonly retryAfterMs: number | undefined;
  /** The cause, if there is one. */
  readonly cause: unknown;
  /** The number of input lines whose results have all been delivered to the caller. */
  lines: number;
  /** The line that ended a stream with `onError: "fail"`. */
  invalid: InvalidLine | undefined;

  /** Recognize the errors of all copies of this package: it may be loaded as ESM and as CommonJS. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== ForstError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && BRAND in value;
  }

  constructor(code: string, detail: string, details: ForstErrorDetails = {}) {
    super(`${detail} (${code})`);
    this.code = code;
    this.detail = detail;
    this.status = details.status;
    this.retriable = details.retriable ?? false;
    this.retryAfterMs = details.retryAfterMs;
    this.cause = details.cause;
    this.lines = details.lines ?? 0;
    this.invalid = undefined;
  }
}

Object.defineProperty(ForstError.prototype, BRAND, { value: true });

/** Wraps what a producer threw, so that it is not taken for an error of the connection. */
export class ProducerError extends Error {
  readonly thrown: unknown;

  constructor(thrown: unknown) {
    super("the producer failed");
    this.thrown = thrown;
  }
}

/** Return the error of a response that violates the wire contract. */
export function broken(detail: string, cause?: unknown): ForstError {
  return new ForstError("protocol", detail, { status: 200, cause });
}
