/** The request of an upload: chunks of a producer, sent again from the first unacknowledged line. */

import type { StreamingConfig } from "./config.js";
import type { Body, Connection } from "./connection.js";
import type { ForstError } from "./errors.js";
import type { FrameReader, Piece } from "./frames.js";
import { Producer } from "./producer.js";
import type { Summary } from "./records.js";
import { checkRecords, type StreamRequest } from "./stream-request.js";
import { PassThrough, Window, type Outbox } from "./window.js";
import { FIRST_LINE, NDJSON } from "./wire.js";

const FIRST_LINE_NAME = FIRST_LINE.toLowerCase();

/** Records or NDJSON from a producer. */
export class Upload implements StreamRequest {
  readonly resume: boolean;
  readonly acceptIsProgress = false;
  readonly offset = undefined;
  readonly compressible = true;
  private readonly producer: Producer;
  private readonly outbox: Outbox;
  private connections = 0;
  private hasTaken = false; // Whether the producer was ever asked for a chunk.
  private hasEnded = false;
  private taking: Promise<void> | undefined;

  /** @param isDoneAfterWrite that of the transport. */
  constructor(
    input: unknown,
    config: StreamingConfig,
    resume: boolean,
    isDoneAfterWrite: boolean | undefined,
  ) {
    this.resume = resume;
    this.producer = new Producer(input, config.chunkSize, !resume && isDoneAfterWrite === true);
    this.outbox = resume
      ? new Window(config.bufferSize, config.chunkSize)
      : new PassThrough(config.chunkSize);
  }

  get lines(): number {
    return this.outbox.acked;
  }

  begin(headers: Record<string, string>): Body {
    headers["content-type"] ??= NDJSON;
    if (this.lines > 0) {
      // The caller may have set the header, if its input is the rest of a longer one.
      headers[FIRST_LINE_NAME] = `${Number(headers[FIRST_LINE_NAME] ?? 1) + this.lines}`;
    }
    this.outbox.rewind();
    const connection = ++this.connections;
    return { next: () => this.nextPiece(connection) };
  }

  *deliver(pieces: Piece[], frames: FrameReader): Iterable<Piece[]> {
    this.outbox.ack(frames.acked);
    yield pieces;
  }

  delivered(): undefined {}

  isConsumed(): boolean {
    return this.hasTaken;
  }

  check(summary: Summary, connection: Connection): void {
    if (summary.bytes_in !== connection.sent) {
      throw connection.lost(`${summary.bytes_in} of ${connection.sent} bytes arrived there`);
    }
    // The summary covers one connection. Only if no other acknowledged lines is that all.
    if (summary.lines === this.lines) checkRecords(summary, this.producer.isText);
  }

  /** Return whether the server gave up an idle stream because there was nothing to send. */
  reconnectsAtOnce(error: ForstError, connection: Connection): boolean {
    return this.outbox.isEmpty && connection.accepted && error.code === "timeout";
  }

  async hasMore(): Promise<boolean> {
    while (this.outbox.isEmpty && !this.hasEnded) await this.take();
    return !this.outbox.isEmpty;
  }

  async leave(): Promise<void> {}

  close(): Promise<void> {
    this.connections++;
    return this.producer.close();
  }

  /** Return what is sent next, undefined at the end, or if another connection has begun. */
  private async nextPiece(connection: number): Promise<Uint8Array | undefined> {
    while (connection === this.connections) {
      const turn = this.outbox.turn();
      if (turn) {
        await turn;
        continue;
      }
      const piece = this.outbox.next();
      if (piece || this.hasEnded) return piece;
      const room = this.outbox.room();
      if (room) await room;
      if (connection === this.connections) await this.take();
    }
    return undefined;
  }

  /** Move a chunk from the producer to the outbox; several connections may wait for the same. */
  private take(): Promise<void> {
    this.hasTaken = true;
    this.taking ??= this.takeOne();
    return this.taking;
  }

  private async takeOne(): Promise<void> {
    try {
      const chunk = await this.producer.take();
      if (chunk) this.outbox.put(chunk);
      else {
        this.outbox.finish();
        this.hasEnded = true;
      }
    } finally {
      this.taking = undefined;
    }
  }
}
