/** The results of one stream, one by one or in batches. */

import { allocated, COMMA, decoded, LF } from "./bytes.js";
import { broken, ForstError } from "./errors.js";
import { Leavable, makeDisposable, type BatchStream } from "./leavable.js";
import type { PlatformDisposable } from "./platform.js";
import type { InvalidLine, Summary } from "./records.js";
import type { Transfer } from "./transfer.js";

const LARGEST_SLICE = 1 << 15; // Bytes, unless one line has more.
const OPENING_BRACKET = 91;
const CLOSING_BRACKET = 93;
const scratch = allocated(LARGEST_SLICE + 1);

/** How invalid lines are reported: as results, or to a callback. */
export type InvalidLineHandler = ((line: InvalidLine) => void) | "results" | "nothing";

/**
 * The results of one stream as they arrive, for `for await`.
 *
 * Nothing is sent before the iteration starts. Leaving it early, by `break`, `return()` or the end
 * of an `await using`, closes the connection and calls the producer's `return()`.
 */
class Results<T> implements AsyncIterableIterator<T> {
  private readonly transfer: Transfer;
  private readonly source: Leavable<T[]>;
  private batch: T[] = [];
  private at = 0;
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  constructor(transfer: Transfer, invalid: InvalidLineHandler) {
    this.transfer = transfer;
    this.source = new Leavable(parsed<T>(transfer, invalid), () => transfer.leave());
    makeDisposable(this, () => this.return());
  }

  /** Input lines acknowledged so far. */
  get lines(): number {
    return this.transfer.lines;
  }

  /** Connections made so far: more than one only after a loss. */
  get connections(): number {
    return this.transfer.connections;
  }

  /** How many records a live stream left out so far, undefined if that is unknown. */
  get missed(): number | undefined {
    return this.transfer.missed;
  }

  /** The offset after the last delivered batch of results, if the stream has offsets. */
  get offset(): string | undefined {
    return this.transfer.offset;
  }

  /**
   * What the server counted, after the successful end. After a resume it covers the last connection
   * only; it is undefined if that was lost after all results had arrived.
   */
  get summary(): Summary | undefined {
    return this.transfer.summary;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.waiting === 0 && this.at < this.batch.length) {
      return Promise.resolve({ done: false, value: this.batch[this.at++] as T });
    }
    this.waiting++;
    const found = this.last.then(() => this.advance());
    const done = (): void => void this.waiting--;
    this.last = found.then(done, done);
    return found;
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.batch = [];
    this.at = 0;
    await this.source.return();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Iterate over arrays of results that arrived together, which takes less time per result. */
  batches(): BatchStream<T> {
    if (this.at < this.batch.length) this.source.putBack(this.batch.slice(this.at));
    this.batch = [];
    this.at = 0;
    return this.source as unknown as BatchStream<T>;
  }

  private async advance(): Promise<IteratorResult<T, undefined>> {
    while (this.at >= this.batch.length) {
      const { done, value } = await this.source.next();
      if (done) return { done: true, value: undefined };
      this.batch = value;
      this.at = 0;
    }
    return { done: false, value: this.batch[this.at++] as T };
  }
}

export type ResultStream<T> = Results<T> & PlatformDisposable;

/** Make the results of a transfer. */
export function resultsOf<T>(transfer: Transfer, invalid: InvalidLineHandler): ResultStream<T> {
  return new Results<T>(transfer, invalid) as ResultStream<T>;
}

async function* parsed<T>(
  transfer: Transfer,
  invalid: InvalidLineHandler,
): AsyncGenerator<T[], void, undefined> {
  for await (const pieces of transfer.pieces()) {
    let batch: T[] = [];
    let size = 0;
    for (const piece of pieces) {
      if (piece.invalid) {
        if (invalid === "results") batch.push(piece.invalid as T);
        else if (invalid !== "nothing") invalid(piece.invalid);
        continue;
      }
      for (const lines of slices(piece.bytes)) {
        const results = parseLines(lines) as T[];
        if (batch.length === 0) batch = results;
        else for (const one of results) batch.push(one);
        size += lines.length;
        if (size < LARGEST_SLICE / 2) continue;
        yield batch;
        batch = [];
        size = 0;
      }
    }
    if (batch.length > 0) yield batch;
  }
}

/** Cut lines into slices so small that most results are gone before the garbage collector runs. */
function* slices(lines: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < lines.length; ) {
    let end = lines.length;
    if (end - start > LARGEST_SLICE) {
      end = lines.lastIndexOf(LF, start + LARGEST_SLICE) + 1;
      if (end <= start) end = lines.indexOf(LF, start) + 1;
    }
    yield lines.subarray(start, end);
    start = end;
  }
}

function parseLines(bytes: Uint8Array): unknown[] {
  const values = parsedTogether(bytes);
  if (values) return values;
  return decodedLines(bytes)
    .slice(0, -1)
    .split("\n")
    .map((line) => {
      try {
        return JSON.parse(line) as unknown;
      } catch (cause) {
        throw broken(`this is not a result: ${line.slice(0, 80)}`, cause);
      }
    });
}

/**
 * Parse lines as the elements of one array, which takes less time than one by one; return undefined
 * if not every line is a value. A copy of the bytes gets brackets, and commas in place of LFs:
 * changing the text takes longer.
 */
function parsedTogether(bytes: Uint8Array): unknown[] | undefined {
  const size = bytes.length + 1;
  const array = size <= scratch.length ? scratch.subarray(0, size) : allocated(size);
  array[0] = OPENING_BRACKET;
  array.set(bytes, 1);
  let count = 0;
  for (let at = array.indexOf(LF); at >= 0; at = array.indexOf(LF, at + 1)) {
    array[at] = COMMA;
    count++;
  }
  array[bytes.length] = CLOSING_BRACKET;
  try {
    const values = JSON.parse(decoded(array)) as unknown[];
    return values.length === count ? values : undefined;
  } catch {
    return undefined;
  }
}

function decodedLines(bytes: Uint8Array): string {
  try {
    return decoded(bytes);
  } catch (cause) {
    throw new ForstError("protocol", "the results are not UTF-8", { cause });
  }
}
