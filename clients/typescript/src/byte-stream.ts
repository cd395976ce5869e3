/** The result lines of a stream as bytes. */

import type { Bytes } from "./bytes.js";
import type { Piece } from "./frames.js";
import { leave } from "./leavable.js";
import type { ByteStream } from "./platform.js";
import type { InvalidLine } from "./records.js";
import type { InvalidLineHandler } from "./results.js";
import type { Transfer } from "./transfer.js";

/** Return the result lines of a transfer as a pull stream without a buffer of its own. */
export function byteStream(transfer: Transfer, invalid: InvalidLineHandler): ByteStream {
  const source = new ByteSource(transfer, invalid);
  let controller: ReadableStreamDefaultController<Bytes>;
  // Not if a part may wait in the stream, because its reader has gone, or nothing is left.
  let isPassable = true;
  const stream = new ReadableStream<Bytes>(
    {
      start(given) {
        controller = given;
      },
      async pull() {
        isPassable = false;
        const bytes = source.take() ?? (await source.read());
        if (bytes) controller.enqueue(bytes);
        else controller.close();
      },
      cancel: () => source.close(),
    },
    { highWaterMark: 0 },
  );
  const end = (failure?: { error: unknown }): void => {
    isPassable = false;
    if (failure) controller.error(failure.error);
    else controller.close();
  };
  const values = ({ preventCancel = false } = {}): ByteIterator => {
    const direct = isPassable ? { source, end } : undefined;
    return new ByteIterator(stream.getReader(), direct, preventCancel);
  };
  const property = { value: values, writable: true, configurable: true };
  Object.defineProperties(stream, { values: property, [Symbol.asyncIterator]: property });
  return stream as ByteStream;
}

/** The parts of a transfer's results that go to the caller. */
class ByteSource {
  private readonly transfer: Transfer;
  private readonly invalid: InvalidLineHandler;
  private readonly batches: AsyncGenerator<Piece[], void, undefined>;
  private pieces: Piece[] = [];
  private at = 0;
  private hasStarted = false;
  private isWaiting = false;

  constructor(transfer: Transfer, invalid: InvalidLineHandler) {
    this.transfer = transfer;
    this.invalid = invalid;
    this.batches = transfer.pieces();
  }

  /** Return a part that has arrived already, undefined if there is none. */
  take(): Bytes | undefined {
    const { invalid, pieces } = this;
    while (this.at < pieces.length) {
      const { bytes, invalid: line } = pieces[this.at++] as Piece;
      if (!line || invalid === "results") return bytes as Bytes;
      if (invalid !== "nothing") this.report(line, invalid);
    }
    return undefined;
  }

  /** Wait for the next part; return undefined at the end. */
  async read(): Promise<Bytes | undefined> {
    for (;;) {
      this.hasStarted = true;
      this.isWaiting = true;
      const { done, value } = await this.batches.next();
      this.isWaiting = false;
      if (done) return undefined;
      this.pieces = value;
      this.at = 0;
      const bytes = this.take();
      if (bytes) return bytes;
    }
  }

  private report(line: InvalidLine, report: (line: InvalidLine) => void): void {
    try {
      report(line);
    } catch (error) {
      this.close().catch(() => {});
      throw error;
    }
  }

  /** End the transfer, also while a part is waited for. */
  async close(): Promise<void> {
    this.pieces = [];
    const { transfer, batches, hasStarted, isWaiting } = this;
    await leave(batches, () => transfer.leave(), hasStarted, isWaiting);
  }
}

/**
 * Iterates over a stream, past the stream's own queue: the iterator of a platform takes more time
 * for each part than everything else does.
 */
class ByteIterator implements AsyncIterableIterator<Bytes> {
  private readonly reader: ReadableStreamDefaultReader<Bytes>;
  private readonly direct: DirectAccess | undefined;
  private readonly preventCancel: boolean;
  private hasEnded = false;
  private waiting = 0;
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    reader: ReadableStreamDefaultReader<Bytes>,
    direct: DirectAccess | undefined,
    preventCancel: boolean,
  ) {
    this.reader = reader;
    this.direct = direct;
    this.preventCancel = preventCancel;
  }

  next(): Promise<IteratorResult<Bytes, undefined>> {
    const found =
      this.waiting++ === 0 ? this.advance() : this.last.then(() => this.advance());
    const done = (): void => void this.waiting--;
    this.last = found.then(done, done);
    return found;
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    if (!this.hasEnded) {
      this.hasEnded = true;
      const cancelled = this.preventCancel ? undefined : this.reader.cancel();
      this.reader.releaseLock();
      await cancelled;
    }
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private async advance(): Promise<IteratorResult<Bytes, undefined>> {
    let value: Bytes | undefined;
    try {
      if (this.hasEnded) return { done: true, value: undefined };
      const { source } = this.direct ?? {};
      value = source ? (source.take() ?? (await source.read())) : (await this.reader.read()).value;
      if (value) return { done: false, value };
      this.end();
      return { done: true, value: undefined };
    } catch (error) {
      this.end({ error });
      throw error;
    }
  }

  /** Make the stream look as if it had been read to its end by its own means. */
  private end(failure?: { error: unknown }): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.direct?.end(failure);
    this.reader.read().catch(() => {}); // Marks it as used.
    this.reader.releaseLock();
  }
}

/** A way to the parts past the stream. */
interface DirectAccess {
  source: ByteSource;
  end(failure?: { error: unknown }): void;
}
