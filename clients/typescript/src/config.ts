/** Settings of streams, with their defaults and limits. */

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

/** Check settings, so that none is silently without effect. */
export function checkConfig(config: StreamingConfig): void {
  const { chunkSize, timeout, bufferSize, retry } = config;
  const lowest: [string, number, number][] = [
    ["chunkSize", chunkSize, 1],
    ["bufferSize", bufferSize, 1],
    ["timeoutMs", timeout, 0],
    ["retry.attempts", retry.attempts, 1],
    ["retry.delay", retry.delay, 0],
    ["retry.maxDelay", retry.maxDelay ?? 0, 0],
  ];
  for (const [name, value, least] of lowest) {
    if (!(value >= least)) throw new RangeError(`${name} must be at least ${least}, not ${value}`);
  }
}
