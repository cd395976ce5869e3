/** Settings of streams, with their defaults and limits. */

import { given, type Optional } from "./given.js";

/** How often a stream connects again without progress, and after which pauses. */
export interface RetryConfig {
  /** Total number of attempts, including the first. */
  attempts: number;
  /** Milliseconds before the second attempt; they double with each further one. */
  delay: number;
  /** Maximum number of milliseconds between two attempts. */
  maxDelay?: number | undefined;
}

/** The settings of streams. */
export interface StreamingConfig {
  /** Maximum size in bytes of the chunks into which records are grouped. */
  chunkSize: number;
  /** Milliseconds without progress in either direction after which a stream fails; 0 for never. */
  timeout: number;
  /** Maximum number of unacknowledged lines, or one chunk if that has more. */
  bufferSize: number;
  /** A setting of the server (`--workers`), which this client does not use. */
  workers: number;
  /** Compress requests, and ask for compressed responses. Needs Node's zlib. */
  compression: boolean;
  /** When to connect again. */
  retry: RetryConfig;
}

/** Compression is off, because between two processes of one machine it costs more than it saves. */
export const defaultStreamingConfig: StreamingConfig = {
  chunkSize: 1024 * 1024,
  timeout: 30_000,
  bufferSize: 1000,
  workers: 10,
  compression: false,
  retry: { attempts: 3, delay: 1000, maxDelay: 30_000 },
};

const RETRY_TYPES: Record<string, string> = {
  attempts: "number",
  delay: "number",
  maxDelay: "number",
};

/** Return the settings that are given, later ones first, with defaults for the others. */
export function retryConfig(...all: (Optional<RetryConfig> | null | undefined)[]): RetryConfig {
  const config = { ...defaultStreamingConfig.retry };
  for (const retry of all) Object.assign(config, retry && given(retry, RETRY_TYPES, "retry."));
  checkLowest([
    ["retry.attempts", config.attempts, 1],
    ["retry.delay", config.delay, 0],
    ["retry.maxDelay", config.maxDelay ?? 0, 0],
  ]);
  return config;
}

/** Check settings, so that none is silently without effect. */
export function checkConfig({ chunkSize, timeout, bufferSize }: StreamingConfig): void {
  checkLowest([
    ["chunkSize", chunkSize, 1],
    ["bufferSize", bufferSize, 1],
    ["timeoutMs", timeout, 0],
  ]);
}

function checkLowest(lowest: [string, number, number][]): void {
  for (const [name, value, least] of lowest) {
    if (!(value >= least)) throw new RangeError(`${name} must be at least ${least}, not ${value}`);
  }
}
