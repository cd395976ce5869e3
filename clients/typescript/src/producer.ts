/**
 * Groups the items of a producer into chunks.
 *
 * Items are not delayed: a chunk contains what the producer has ready when the upload asks for it.
 */

import type { Bytes } from "./bytes.js";
import { Encoder } from "./encoder.js";
import { ProducerError } from "./errors.js";
import { iteratorOf } from "./input.js";
import { turn } from "./platform.js";

const LARGEST_TAKE = 1 << 16; // Bytes after which a busy producer lets the event loop run.

const LONGEST_RUN_MS = 1;

/** The chunks of one input. */
export class Producer {
  private readonly iterator: AsyncIterator<unknown> | Iterator<unknown>;
  private readonly encoder: Encoder;
  private readonly limit: number;
  private failure: ProducerError | undefined;
  private isWanted = false; // Whether somebody waits for items.
  private isRunning = false;
  private hasEnded = false;
  private closing: Promise<void> | undefined;
  private wake = (): void => {};

  /** @param borrows whether a chunk is no longer needed when the next one is asked for. */
  constructor(input: unknown, chunkSize: number, borrows: boolean) {
    this.iterator = iteratorOf(input);
    this.limit = Math.min(chunkSize, LARGEST_TAKE);
    this.encoder = new Encoder(borrows ? this.limit : Infinity);
  }

  /** Whether the items are text or bytes, and not records. */
  get isText(): boolean {
    return this.encoder.kind === "NDJSON";
  }

  /**
   * Return what the producer has ready, waiting for at least one item; undefined at its end.
   *
   * @throws ProducerError
   */
  async take(): Promise<Bytes | undefined> {
    this.isWanted = true;
    if (!this.isRunning) void this.run();
    while (this.isRunning && this.encoder.size === 0) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    // Records that arrive within one iteration of the event loop are ready; and a producer that
    // never pauses must not block the loop.
    await turn();
    this.isWanted = false;
    if (this.encoder.size > 0) return this.encoder.take();
    if (this.failure) throw this.failure;
    return this.hasEnded ? undefined : await this.take();
  }

  /** Stop taking, and let the producer clean up. */
  close(): Promise<void> {
    this.closing ??= this.closeOnce();
    return this.closing;
  }

  private async closeOnce(): Promise<void> {
    if (this.hasEnded) return;
    this.hasEnded = true;
    const closing = Promise.resolve(this.iterator.return?.());
    closing.catch(() => {});
    // A busy producer cannot be interrupted: it cleans up later.
    await (this.isRunning ? Promise.race([closing, turn()]) : closing);
  }

  /** Move items to the encoder while they are wanted, and as long as that is fast. */
  private async run(): Promise<void> {
    this.isRunning = true;
    const start = performance.now();
    let isAsking = true;
    try {
      for (let count = 1; this.isWanted && this.encoder.size < this.limit; count++) {
        isAsking = true;
        const asked = this.iterator.next();
        // Only what is not there yet is awaited, because that takes longer than the rest.
        const item = "then" in asked ? await asked : asked;
        isAsking = false;
        if (item.done) {
          this.hasEnded = true;
          this.encoder.finish();
          break;
        }
        const wasEmpty = this.encoder.size === 0;
        // As in `for await`: promises in a list are awaited.
        this.encoder.add(isPromise(item.value) ? await item.value : item.value);
        if (wasEmpty) this.wake();
        if (count % 8 === 0 && performance.now() - start > LONGEST_RUN_MS) break;
      }
    } catch (error) {
      this.hasEnded ||= isAsking;
      this.failure = new ProducerError(error);
    }
    this.isRunning = false;
    this.wake();
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === "function";
}
