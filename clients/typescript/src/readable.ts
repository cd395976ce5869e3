/** Reading a stream of Node without ever destroying it. */

import { copied } from "./bytes.js";

/** The part of Node's `Readable` that is needed. */
export interface NodeReadable {
  pause(): unknown;
  resume(): unknown;
  on(event: string, listener: (...values: any[]) => void): unknown;
}

const MOST_WAITING = 1 << 17; // Bytes that have arrived and were not read.

/** Reads a stream of Node piece by piece. */
export class NodeReader {
  private readonly stream: NodeReadable;
  private chunks: Uint8Array[] = [];
  private size = 0;
  private isPaused = true;
  private error: Error | undefined;
  private isDropping = false;
  private hasEnded = false;
  private wake = (): void => {};

  /** @param isReusing whether the stream writes to the rest of a chunk's memory. */
  constructor(stream: NodeReadable, isReusing = false) {
    this.stream = stream;
    stream.pause();
    // Its `read` would join what has arrived in several chunks.
    stream.on("data", (chunk: Uint8Array) => {
      if (this.isDropping) return;
      this.chunks.push(isReusing ? copied(chunk) : chunk);
      this.size += chunk.length;
      if (this.size >= MOST_WAITING) this.pause();
      this.wake();
    });
    stream.on("error", (error: Error) => this.fail(error));
    stream.on("end", () => {
      this.hasEnded = true;
      this.wake();
    });
    // Without an error or an end before it, the connection was lost.
    stream.on("close", () => this.fail(lostConnection()));
  }

  /** Return a chunk that has arrived already, undefined if there is none. */
  take(): Uint8Array | undefined {
    const chunk = this.chunks.shift();
    if (chunk) this.size -= chunk.length;
    return chunk;
  }

  /** Return the next chunk, waiting for it; undefined at the end. */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.take();
      if (chunk) return chunk;
      if (this.hasEnded) return undefined;
      if (this.error) throw this.error;
      const arrives = new Promise<void>((resolve) => (this.wake = resolve));
      if (this.isPaused) {
        this.isPaused = false;
        this.stream.resume();
      }
      await arrives;
    }
  }

  /** Drop unread data, and data that is still to arrive. */
  drop(): void {
    this.isDropping = true;
    this.chunks = [];
    this.stream.resume();
  }

  private pause(): void {
    this.isPaused = true;
    this.stream.pause();
  }

  /** Make `read` reject once everything that has arrived is read. */
  fail(error: Error): void {
    this.error ??= error;
    this.wake();
  }
}

/** Return the error of a connection that was closed by either side. */
export function lostConnection(): Error {
  return Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" });
}
