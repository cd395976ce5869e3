/** Iterators that can be left at any time. */

import type { PlatformDisposable } from "./platform.js";

/**
 * An iterator over a generator, whose `return()` also ends a `next()` that is still waiting; that of
 * a generator would wait for it.
 */
export class Leavable<T> implements AsyncIterableIterator<T> {
  private readonly generator: AsyncGenerator<T, void, undefined>;
  private readonly interrupt: () => Promise<void>;
  private waiting = 0;
  private hasStarted = false;
  private readonly first: T[] = [];

  /** @param interrupt makes the generator end while it waits, and does what it does at its end. */
  constructor(generator: AsyncGenerator<T, void, undefined>, interrupt: () => Promise<void>) {
    this.generator = generator;
    this.interrupt = interrupt;
    makeDisposable(this, () => this.return());
  }

  /** Return a value before those of the generator. */
  putBack(value: T): void {
    this.first.push(value);
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    const value = this.first.shift();
    if (value !== undefined) return { done: false, value };
    this.waiting++;
    this.hasStarted = true;
    try {
      return (await this.generator.next()) as IteratorResult<T, undefined>;
    } finally {
      this.waiting--;
    }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.first.length = 0;
    await leave(this.generator, this.interrupt, this.hasStarted, this.waiting > 0);
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** End a generator, also one that waits, or has not started and so would not clean up. */
export async function leave(
  generator: AsyncGenerator<unknown, void, undefined>,
  interrupt: () => Promise<void>,
  hasStarted: boolean,
  isWaiting: boolean,
): Promise<void> {
  if (isWaiting) interrupt().catch(() => {}); // The generator throws the same.
  const left = generator.return();
  if (!hasStarted) await interrupt();
  await left;
}

/** Make `await using` call `dispose`, where the runtime has it. */
export function makeDisposable(object: object, dispose: () => Promise<unknown>): void {
  const { asyncDispose } = Symbol as { asyncDispose?: symbol };
  if (!asyncDispose) return;
  const value = async (): Promise<void> => void (await dispose());
  Object.defineProperty(object, asyncDispose, { value });
}

/** The batches of a stream's results. */
export type BatchStream<T> = AsyncIterableIterator<T[]> & PlatformDisposable;
