/** Splits a response with control lines into results and what the server says about them. */

import { COLON, decoded, encoded, findControl, joined, LF, owned } from "./bytes.js";
import { broken, ForstError } from "./errors.js";
import type { InvalidLine, Summary } from "./records.js";
import { invalidLine } from "./records.js";
import { ACK, END, ERROR, MISSED, OFFSET, REJECTED, RETRIABLE_CODES } from "./wire.js";

const CONTROL_LINES: ReadonlySet<string> = new Set([ACK, END, ERROR, MISSED, OFFSET, REJECTED]);
const BLANK: ReadonlySet<number> = new Set([9, 10, 13, 32]);

// Most control lines are this one and digits: these are read without making text of them.
const ACK_START = encoded(`${ACK} `);
const ZERO = 48;
const MOST_DIGITS = 15; // More may not be exact.

/** Whole result lines; or an error line, which is a piece of its own. No other has its memory. */
export interface Piece {
  bytes: Uint8Array;
  invalid?: InvalidLine;
}

/** An acknowledgement: how many pieces it covers, how many lines, and the offset after them. */
export interface Mark {
  pieces: number;
  lines: number;
  offset: string;
}

/** Reads the response of one connection. */
export class FrameReader {
  /** Input lines of this connection that are acknowledged. */
  acked = 0;
  /** Whether there was a control line so far. */
  hasFrames = false;
  /** The content of `:end`. */
  summary: Summary | undefined;
  /** The content of `:error`. */
  error: ForstError | undefined;
  /** The content of each `:missed` since the last `feed`; undefined if the number is unknown. */
  missed: (number | undefined)[] = [];
  /** The acknowledgements since the last `feed`. */
  marks: Mark[] = [];
  private readonly hold: boolean;
  private held: Piece[] = [];
  private ready: Piece[] = [];
  private tail: Uint8Array[] = [];
  private rejected: number[] = []; // Positions of error lines after the last `:rejected`.
  private passed = 0; // Lines after it so far.
  private offset = "";
  private size = 0; // Bytes of results.
  private lastInvalid: InvalidLine | undefined;

  /** @param hold whether to hold results back until they are acknowledged. */
  constructor(hold: boolean) {
    this.hold = hold;
  }

  /** Take received data; return pieces that may be handed out. */
  feed(data: readonly Uint8Array[]): Piece[] {
    this.marks = [];
    this.missed = [];
    for (const part of data) this.add(part);
    if (!this.hold) this.release();
    const ready = this.ready;
    this.ready = [];
    return ready;
  }

  /** Return the last line of a response without control lines, if it does not end with an LF. */
  rest(): Piece[] {
    const bytes = joined([...this.tail, encoded("\n")]);
    return bytes[0] === COLON ? [] : [{ bytes }];
  }

  private add(data: Uint8Array): void {
    let whole = data;
    if (this.tail.length > 0) {
      const first = data.indexOf(LF) + 1;
      if (first === 0) {
        this.tail.push(owned(data));
        return;
      }
      // Separately, so that the rest need not be copied.
      const line = joined([...this.tail, data.subarray(0, first)]);
      this.tail = [];
      this.split(line, line.length);
      whole = data.subarray(first);
    }
    const end = whole.lastIndexOf(LF) + 1;
    this.split(whole, end);
    if (end < whole.length) this.tail.push(owned(whole.subarray(end)));
  }

  private split(data: Uint8Array, end: number): void {
    let start = 0;
    if (end > 0 && data[0] === COLON) start = this.control(data, 0);
    while (start < end) {
      const found = findControl(data, Math.max(0, start - 1), end);
      if (found < 0) break;
      this.results(data.subarray(start, found + 1));
      start = this.control(data, found + 1);
    }
    this.results(data.subarray(start, end));
  }

  private results(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.summary || this.error) throw broken("results follow the end of the stream");
    this.size += bytes.length;
    if (this.rejected.length > 0) this.separateErrors(bytes);
    else this.held.push({ bytes: owned(bytes) });
  }

  /** Make a piece of each error line that `:rejected` has announced. */
  private separateErrors(bytes: Uint8Array): void {
    let start = 0;
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(LF, at) + 1;
      this.passed++;
      if (this.rejected[0] === this.passed) {
        this.rejected.shift();
        if (start < at) this.held.push({ bytes: owned(bytes.subarray(start, at)) });
        this.held.push(this.errorLine(owned(bytes.subarray(at, end))));
        start = end;
      }
      at = end;
    }
    if (start < bytes.length) this.held.push({ bytes: owned(bytes.subarray(start)) });
  }

  private errorLine(bytes: Uint8Array): Piece {
    try {
      this.lastInvalid = invalidLine(decoded(bytes));
      return { bytes, invalid: this.lastInvalid };
    } catch (cause) {
      throw broken("an error line is malformed", cause);
    }
  }

  /** Read the control line at `start`; return where the next line starts. */
  private control(data: Uint8Array, start: number): number {
    const end = data.indexOf(LF, start);
    const acked = numberBetween(data, start + ACK_START.length, end);
    if (acked !== undefined && startsWith(data, start, ACK_START)) {
      this.hasFrames = true;
      this.ack(acked);
      return end + 1;
    }
    let line = "";
    try {
      line = decoded(data.subarray(start, end)).trimEnd();
      const space = line.indexOf(" ");
      const kind = space < 0 ? line : line.slice(0, space);
      this.handle(kind, space < 0 ? "" : line.slice(space + 1));
    } catch (error) {
      if (error instanceof ForstError) throw error;
      throw broken(`a control line is malformed: ${line.slice(0, 200)}`, error);
    }
    return end + 1;
  }

  private handle(kind: string, text: string): void {
    this.hasFrames ||= CONTROL_LINES.has(kind);
    if (kind === ACK) this.ack(wholeNumber(text));
    else if (kind === REJECTED) {
      this.rejected = text.split(" ").map(wholeNumber);
      this.passed = 0;
    } else if (kind === OFFSET) this.offset = text;
    else if (kind === MISSED) this.missed.push(text === "?" ? undefined : wholeNumber(text));
    else if (kind === END) this.end(JSON.parse(text) as Summary);
    else if (kind === ERROR) this.fail(JSON.parse(text) as Problem);
  }

  private ack(lines: number): void {
    if (lines < this.acked) throw broken(`${lines} lines are acknowledged after ${this.acked}`);
    this.acked = lines;
    this.release();
    if (!this.hold) return;
    // There may be no results between this acknowledgement and the last.
    if (this.marks[this.marks.length - 1]?.pieces === this.ready.length) this.marks.pop();
    this.marks.push({ pieces: this.ready.length, lines, offset: this.offset });
  }

  private end(summary: Summary): void {
    if (this.rejected.length > 0) throw broken("announced error lines are missing");
    // The digest is not checked, because no runtime has XXH3.
    if (summary.bytes_out !== this.size) {
      const detail = `${this.size} of ${summary.bytes_out} bytes of results arrived`;
      throw new ForstError("corrupt", detail, { status: 200 });
    }
    this.ack(summary.lines);
    this.summary = summary;
  }

  private fail({ code, detail, status }: Problem): void {
    if (typeof code !== "string") throw new SyntaxError("there is no code");
    const isRetriable = RETRIABLE_CODES.has(code);
    let why = `${detail}`;
    const wrong = code === "bad_record" ? this.lastInvalid : undefined;
    if (wrong) why = `line ${wrong.line}, byte ${wrong.offset}: ${wrong.message} (${wrong.code})`;
    this.error = new ForstError(code, why, { status, retriable: isRetriable });
    this.error.invalid = wrong;
  }

  private release(): void {
    if (this.held.length === 0) return;
    this.ready.push(...this.held);
    this.held = [];
  }
}

/** Return pieces without their blank lines, which other servers may send. */
export function withoutBlankLines(pieces: Piece[]): Piece[] {
  const found: Piece[] = [];
  for (const { bytes } of pieces) {
    let start = 0;
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(LF, at) + 1;
      if (bytes.subarray(at, end).every((byte) => BLANK.has(byte))) {
        if (start < at) found.push({ bytes: owned(bytes.subarray(start, at)) });
        start = end;
      }
      at = end;
    }
    if (start < bytes.length) found.push({ bytes: owned(bytes.subarray(start)) });
  }
  return found;
}

interface Problem {
  code: string;
  detail: string;
  status?: number;
}

function startsWith(data: Uint8Array, start: number, prefix: Uint8Array): boolean {
  for (let at = 0; at < prefix.length; at++) if (data[start + at] !== prefix[at]) return false;
  return true;
}

/** Return the number that digits stand for, undefined if there is something else, or too much. */
function numberBetween(data: Uint8Array, start: number, end: number): number | undefined {
  if (start >= end || end - start > MOST_DIGITS) return undefined;
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = (data[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
  }
  return number;
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (text === "" || !Number.isSafeInteger(number)) throw new SyntaxError(`not a number: ${text}`);
  return number;
}
