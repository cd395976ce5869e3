/** Iterators that can be left at any time. */

import type { PlatformDisposable } from "./platform.js";

/**
 * An iterator over a generator, whose `return()` also ends a `next()` that is still waiting; that of
 * a generator would wait for it.
 */
export class Leavable<T> implements AsyncIterableIterator<T> {
  private readonly generator: AsyncGenerator<T, void, undefined>;
  private readonly interrupt: () => void;
  private waiting = 0;
  private readonly first: T[] = [];

  /** @param interrupt makes the generator end while it waits. */
  constructor(generator: AsyncGenerator<T, void, undefined>, interrupt: () => void) {
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
    try {
      return (await this.generator.next()) as IteratorResult<T, undefined>;
    } finally {
      this.waiting--;
    }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.first.length = 0;
    if (this.waiting > 0) this.interrupt();
    await this.generator.return();
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

/** Make `await using` call `dispose`, where the runtime has it. */
export function makeDisposable(object: object, dispose: () => Promise<unknown>): void {
  const { asyncDispose } = Symbol as { asyncDispose?: symbol };
  if (!asyncDispose) return;
  const value = async (): Promise<void> => void (await dispose());
  Object.defineProperty(object, asyncDispose, { value });
}

/** The batches of a stream's results. */
export type BatchStream<T> = AsyncIterableIterator<T[]> & PlatformDisposable;
