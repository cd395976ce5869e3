/** Buffers between a producer and a connection: with resume, the lines that may be sent again. */

import { countLines, encoded, joined, LF } from "./bytes.js";
import { broken, ForstError } from "./errors.js";

const LONGEST_LINE = 1 << 26;
const EMPTY: Uint8Array = new Uint8Array(0);

/** The input that is sent, and how much of it has been acknowledged. */
export interface Outbox {
  /** Lines acknowledged so far, over all connections. */
  readonly acked: number;
  /** Whether everything that was put in is known to be acknowledged. */
  readonly isEmpty: boolean;
  put(chunk: Uint8Array): void;
  /** Note that there are no more chunks. */
  finish(): void;
  /** Return what is sent next over this connection, undefined if there is nothing. */
  next(): Uint8Array | undefined;
  /** Return what to wait for before `next`, undefined if more may be in flight. */
  turn(): Promise<void> | undefined;
  /** Return what to wait for while it is full, undefined if there is room. */
  room(): Promise<void> | undefined;
  /** Count the first lines of this connection as done. */
  ack(lines: number): void;
  /** Start a new connection. */
  rewind(): void;
}

/** Takes the place of a window in a stream without resume: keeps nothing. */
export class PassThrough implements Outbox {
  acked = 0;
  readonly isEmpty = false;
  private chunk = EMPTY;
  private readonly chunkSize: number;

  constructor(chunkSize: number) {
    this.chunkSize = chunkSize;
  }

  put(chunk: Uint8Array): void {
    this.chunk = chunk;
  }

  finish(): void {}

  next(): Uint8Array | undefined {
    const { chunk, chunkSize } = this;
    const isLast = chunk.length <= chunkSize;
    this.chunk = isLast ? EMPTY : chunk.subarray(chunkSize);
    return chunk.length === 0 ? undefined : isLast ? chunk : chunk.subarray(0, chunkSize);
  }

  turn(): undefined {}

  room(): undefined {}

  ack(lines: number): void {
    this.acked = lines;
  }

  rewind(): void {}
}

interface Piece {
  bytes: Uint8Array;
  lines: number;
}

/**
 * Keeps what is sent until it is acknowledged, to send it again after a lost connection.
 *
 * The window is full at `bufferSize` lines or `chunkSize` bytes, whichever is more, and at four
 * times `chunkSize` in any case; the chunk that fills it may exceed that.
 *
 * The server acknowledges what it has processed at once, so a connection that is cut within that
 * makes no progress. After a lost connection, the next one therefore begins with one line, and
 * then has at most as many lines in flight, besides that one, as it has got acknowledged.
 */
export class Window implements Outbox {
  acked = 0;
  private readonly bufferSize: number;
  private readonly chunkSize: number;
  private unsent: Piece[] = [];
  private sent: Piece[] = [];
  private ackedBefore = 0; // By earlier connections.
  private ackedOfFirst = 0;
  private inFlight = 0; // Lines.
  private maxInFlight = Infinity;
  private lines = 0;
  private size = 0;
  private tail: Uint8Array[] = [];
  private tailSize = 0;
  private acknowledged = (): void => {};

  constructor(bufferSize: number, chunkSize: number) {
    this.bufferSize = bufferSize;
    this.chunkSize = chunkSize;
  }

  get isEmpty(): boolean {
    return this.lines === 0 && this.tail.length === 0;
  }

  /** Add a chunk; what follows its last LF waits for the next one. */
  put(chunk: Uint8Array): void {
    // In pieces, so that several are in flight at a time.
    const limit = Math.max(1, Math.floor(this.chunkSize / 4));
    let start = 0;
    for (let end = endOfPiece(chunk, 0, limit); end > 0; end = endOfPiece(chunk, start, limit)) {
      let bytes = chunk.subarray(start, end);
      if (this.tail.length > 0) {
        bytes = joined([...this.tail, bytes]);
        this.tail = [];
        this.tailSize = 0;
      }
      this.add(bytes);
      start = end;
    }
    if (start === chunk.length) return;
    this.tail.push(chunk.subarray(start));
    this.tailSize += chunk.length - start;
    if (this.tailSize > LONGEST_LINE) {
      const line = this.acked + this.lines + 1;
      const detail = `line ${line} has more than ${LONGEST_LINE} bytes, too many to keep and send again (resume)`;
      throw new ForstError("line_too_long", detail, { lines: this.acked });
    }
  }

  /** Terminate the last line, if it has no LF. */
  finish(): void {
    if (this.tail.length > 0) this.put(encoded("\n"));
  }

  next(): Uint8Array | undefined {
    const piece = this.unsent.shift();
    if (!piece) return undefined;
    const room = this.maxInFlight - this.inFlight;
    const sent = piece.lines > room ? firstLines(piece, room) : piece;
    if (sent !== piece) this.unsent.unshift(withoutFirst(piece, sent));
    this.sent.push(sent);
    this.inFlight += sent.lines;
    return sent.bytes;
  }

  turn(): Promise<void> | undefined {
    return this.mustWait() ? this.until(() => !this.mustWait()) : undefined;
  }

  room(): Promise<void> | undefined {
    return this.isFull() ? this.until(() => !this.isFull()) : undefined;
  }

  ack(lines: number): void {
    const added = lines - (this.acked - this.ackedBefore);
    this.acked += added;
    this.lines -= added;
    this.inFlight -= added;
    this.maxInFlight += added;
    let rest = this.ackedOfFirst + added;
    for (let first = this.sent[0]; first && rest >= first.lines; first = this.sent[0]) {
      rest -= first.lines;
      this.size -= first.bytes.length;
      this.sent.shift();
    }
    this.ackedOfFirst = rest;
    if (rest > 0 && this.sent.length === 0) throw broken(`too many lines are acknowledged: ${rest}`);
    this.acknowledged();
  }

  /** Start a new connection, at the first line that is not acknowledged. */
  rewind(): void {
    if (this.sent.length > 0 || this.acked > this.ackedBefore) this.maxInFlight = 1;
    this.inFlight = 0;
    this.ackedBefore = this.acked;
    this.unsent = [...this.sent, ...this.unsent];
    this.sent = [];
    const first = this.unsent[0];
    if (!first || this.ackedOfFirst === 0) return;
    const done = firstLines(first, this.ackedOfFirst);
    this.unsent[0] = withoutFirst(first, done);
    this.size -= done.bytes.length;
    this.ackedOfFirst = 0;
  }

  private async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.acknowledged = resolve));
  }

  private mustWait(): boolean {
    return this.unsent.length > 0 && this.inFlight >= this.maxInFlight;
  }

  private add(bytes: Uint8Array): void {
    const lines = countLines(bytes);
    this.unsent.push({ bytes, lines });
    this.lines += lines;
    this.size += bytes.length;
  }

  private isFull(): boolean {
    if (this.size >= 4 * this.chunkSize) return true;
    return this.size >= this.chunkSize && this.lines >= this.bufferSize;
  }
}

function firstLines(piece: Piece, lines: number): Piece {
  let end = 0;
  for (let line = 0; line < lines; line++) end = piece.bytes.indexOf(LF, end) + 1;
  return { bytes: piece.bytes.subarray(0, end), lines };
}

function withoutFirst(piece: Piece, first: Piece): Piece {
  return { bytes: piece.bytes.subarray(first.bytes.length), lines: piece.lines - first.lines };
}

/** Return where a piece of whole lines ends, 0 if there is no whole line. */
function endOfPiece(chunk: Uint8Array, start: number, limit: number): number {
  if (chunk.length - start <= limit) return positive(chunk.lastIndexOf(LF), start);
  const end = positive(chunk.lastIndexOf(LF, start + limit - 1), start);
  return end || chunk.indexOf(LF, start + limit) + 1;
}

function positive(found: number, start: number): number {
  return found < start ? 0 : found + 1;
}
