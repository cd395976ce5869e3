/** The request of a live stream, which resumes from the last offset. */

import { encoded } from "./bytes.js";
import type { Body, Connection } from "./connection.js";
import { encodedRecord } from "./encoder.js";
import { ForstError } from "./errors.js";
import type { FrameReader, Piece } from "./frames.js";
import { timer, turn } from "./platform.js";
import type { StreamRequest } from "./stream-request.js";
import { ACK, ACK_HEADER, NEEDS_ACKS } from "./wire.js";

const ACK_HEADER_NAME = ACK_HEADER.toLowerCase();
const LAST_ACKS_TIMEOUT_MS = 1_000; // Time for the server to receive the last acknowledgements.

/** Which records of which source a live stream has. */
export interface LiveRequest {
  /** The name of the source. */
  source: string;
  /** Conditions that records have to match, by the path of a member. */
  filters?: Record<string, unknown> | undefined;
  /** An offset, or "start" for the records that already exist; the default is "now". */
  from?: string | undefined;
  /** The name of a processor. */
  processor?: string | undefined;
}

/**
 * Asks for a live stream, and resumes from its last offset when a connection is lost.
 *
 * Some sources have no offsets, but redeliver what is not acknowledged. Their records are
 * acknowledged when the caller asks for the ones after them.
 */
export class Subscription implements StreamRequest {
  readonly resume = true;
  // A live stream may be idle for hours, without any line that could be acknowledged.
  readonly acceptIsProgress = true;
  readonly compressible = false;
  lines = 0;
  offset: string | undefined;
  private readonly wanted: object;
  private needsAcks = false;
  private acks: Acknowledgements | undefined; // Of the current connection.
  private linesBefore = 0; // Of earlier connections.

  constructor(wanted: object) {
    encodedRecord(wanted); // Throws here rather than at the first connection.
    this.wanted = { ...wanted };
  }

  begin(headers: Record<string, string>): Body {
    headers["content-type"] = "application/json";
    headers[ACK_HEADER_NAME] = this.needsAcks ? "1" : (headers[ACK_HEADER_NAME] ?? "if-needed");
    const acks = headers[ACK_HEADER_NAME] === "1" ? new Acknowledgements() : undefined;
    this.acks = acks;
    this.linesBefore = this.lines;
    const from = this.offset === undefined ? {} : { from: this.offset };
    const head = encodedRecord({ ...this.wanted, ...from });
    return acks ? { head, next: () => acks.next() } : { head };
  }

  *deliver(pieces: Piece[], frames: FrameReader): Iterable<Piece[]> {
    let start = 0;
    for (const { pieces: end, lines, offset } of frames.marks) {
      this.lines = this.linesBefore + lines;
      if (offset) this.offset = offset;
      yield pieces.slice(start, end);
      start = end;
    }
  }

  delivered(): Promise<void> | undefined {
    if (!this.acks) return undefined;
    this.acks.put(this.lines - this.linesBefore);
    // Sent now: the caller may keep the event loop busy with the next records for long.
    return turn();
  }

  isConsumed(): boolean {
    return false;
  }

  check(): void {} // The source decides which lines there are.

  /** Return whether the server asks for acknowledgements, which the first request lacks. */
  reconnectsAtOnce(error: ForstError): boolean {
    if (error.status !== NEEDS_ACKS) return false;
    this.needsAcks = !this.acks;
    return this.needsAcks;
  }

  async hasMore(): Promise<boolean> {
    return true;
  }

  /** Wait until the server has taken the last acknowledgements, and ends the response. */
  async leave(connection: Connection): Promise<void> {
    if (!this.acks) return;
    this.acks.end();
    const cancel = timer(() => connection.close(), LAST_ACKS_TIMEOUT_MS);
    try {
      while ((await connection.read()).length > 0);
    } catch (error) {
      if (!(error instanceof ForstError)) throw error;
    } finally {
      cancel();
    }
  }

  async close(): Promise<void> {
    this.acks?.end();
  }
}

/** The rest of one connection's request: which lines of the response the caller is done with. */
class Acknowledgements {
  private lines = 0;
  private sent = 0;
  private hasEnded = false;
  private wake = (): void => {};

  put(lines: number): void {
    this.lines = lines;
    this.wake();
  }

  end(): void {
    this.hasEnded = true;
    this.wake();
  }

  async next(): Promise<Uint8Array | undefined> {
    while (this.lines === this.sent && !this.hasEnded) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    if (this.lines === this.sent) return undefined;
    this.sent = this.lines;
    return encoded(`${ACK} ${this.sent}\n`);
  }
}
