/** Retrying after transient errors, with exponential backoff. */

import { retryConfig, type RetryConfig } from "./config.js";
import { ForstError } from "./errors.js";
import { given, type Optional } from "./given.js";

const TRANSIENT: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ETIMEDOUT",
  "EPIPE",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT", // A Unix socket that the server has not created yet.
  "ConnectionRefused", // Bun's names.
  "ConnectionClosed",
  "FailedToOpenSocket",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
]);

const MAX_WAIT_MS = 300_000; // For which a response may ask.

const CODE = /\bE[A-Z_]{4,}\b/; // In the message of an error that has no code.

/** Runs operations, and repeats those that fail with a transient error. */
export class StreamingErrorHandler {
  private readonly retry: RetryConfig;

  constructor(config: { retry?: Optional<RetryConfig> | undefined } = {}) {
    this.retry = retryConfig(given(config, { retry: "object" }).retry);
  }

  /**
   * Run an operation and return its result; repeat it after transient errors.
   *
   * Each attempt starts the operation from its beginning, so it must be safe to repeat.
   *
   * @param context describes the operation, in the message of the last error.
   */
  async handleStreamingError<T>(operation: () => Promise<T>, context: string): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await operation();
      } catch (error) {
        if (!isRetriable(error)) throw error;
        if (attempt >= this.retry.attempts) {
          (error as Error).message += ` [${context}: given up after ${attempt} attempts]`;
          throw error;
        }
      }
      const ms = pauseBefore(this.retry, attempt);
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  }
}

/** Return whether an error is transient: reset, refused, timed out, name not found. */
export function isRetriable(error: unknown): boolean {
  if (error instanceof ForstError) return error.retriable;
  let each = error;
  for (let depth = 0; isError(each) && depth < 4; depth++) {
    const { code, cause, errors, message } = each;
    if (TRANSIENT.has(typeof code === "string" ? code : (message.match(CODE)?.[0] ?? ""))) {
      return true;
    }
    each = cause ?? errors?.[0];
  }
  return false;
}

// Not by `instanceof`: in the tests of Jest, errors of Node are of another realm.
export function isError(
  value: unknown,
): value is { message: string; code?: unknown; cause?: unknown; errors?: unknown[] } {
  return typeof (value as Partial<Error> | null | undefined)?.message === "string";
}

/** Return the pause in milliseconds after some failures in a row. */
export function pauseBefore(retry: RetryConfig, failures: number): number {
  const doubled = retry.delay * 2 ** Math.min(Math.max(0, failures - 1), 60);
  // At random, so that the clients of a restarted server do not all come at the same moment.
  return Math.min(doubled, retry.maxDelay ?? 30_000) * (0.5 + Math.random() / 2);
}

/**
 * Return for how many milliseconds a response asks to wait (RFC 9110, section 10.2.3), undefined if
 * it does not.
 */
export function retryAfterMs(headers: Record<string, string | undefined>): number | undefined {
  const text = headers["retry-after"] ?? "";
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, MAX_WAIT_MS);
  // The clocks of server and client may differ.
  const ms = dateOf(text) - (dateOf(headers["date"]) || Date.now());
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_WAIT_MS);
}

function dateOf(text = ""): number {
  return /^[A-Z][a-z]+, /.test(text) ? Date.parse(text) : NaN;
}
