/** The request of one stream: what differs between an upload, a document and a subscription. */

import type { Body, Connection } from "./connection.js";
import { encodedRecord } from "./encoder.js";
import { ForstError } from "./errors.js";
import type { FrameReader, Piece } from "./frames.js";
import type { Summary } from "./records.js";

/** What a transfer sends over each of its connections, and how it resumes over the next one. */
export interface StreamRequest {
  /** Whether results are held back until they are acknowledged, so that the stream can resume. */
  readonly resume: boolean;
  /** Whether a connection that the server accepts ends a series of failures. */
  readonly acceptIsProgress: boolean;
  /** Lines acknowledged so far, over all connections. */
  readonly lines: number;
  /** The offset of a live stream after the results handed out so far. */
  readonly offset: string | undefined;
  /** Whether bodies are to be compressed, if the client is set to. */
  readonly compressible: boolean;
  /** Start the next connection: complete its headers, and return its body. */
  begin(headers: Record<string, string>): Body;
  /** Note what `frames` has just read; yield the pieces that go to the caller together. */
  deliver(pieces: Piece[], frames: FrameReader): Iterable<Piece[]>;
  /** Note that the caller asks for more, so is done with the pieces delivered last. */
  delivered(): Promise<void> | undefined;
  /** Return whether the request cannot be repeated as a whole after this connection. */
  isConsumed(connection: Connection): boolean;
  /** Throw a ForstError if the summary contradicts what was sent. */
  check(summary: Summary, connection: Connection): void;
  /** Return whether an error is part of normal operation, and not a failure. */
  reconnectsAtOnce(error: ForstError, connection: Connection): boolean;
  /** Wait until another connection has something to send; return whether it ever will. */
  hasMore(): Promise<boolean>;
  /** Tell the server that the caller has left an open stream. */
  leave(connection: Connection): Promise<void>;
  /** Free what the request holds. */
  close(): Promise<void>;
}

/** A JSON document; it can be sent again only if the server has not accepted it. */
export class Document implements StreamRequest {
  readonly resume = false;
  readonly acceptIsProgress = false;
  readonly offset = undefined;
  readonly compressible = false;
  lines = 0;
  private readonly document: Uint8Array;

  constructor(document: object) {
    this.document = encodedRecord(document);
  }

  begin(headers: Record<string, string>): Body {
    headers["content-type"] = "application/json";
    return { head: this.document };
  }

  *deliver(pieces: Piece[], frames: FrameReader): Iterable<Piece[]> {
    this.lines = frames.acked;
    yield pieces;
  }

  delivered(): undefined {}

  isConsumed(connection: Connection): boolean {
    return connection.accepted;
  }

  check(summary: Summary): void {
    checkRecords(summary, false);
  }

  reconnectsAtOnce(): boolean {
    return false;
  }

  async hasMore(): Promise<boolean> {
    return true;
  }

  async leave(): Promise<void> {}

  async close(): Promise<void> {}
}

/** Throw if there was input, but not one record in it. */
export function checkRecords(summary: Summary, isText: boolean): void {
  const { records, errors, bytes_out, lines, errors_by_code } = summary;
  if (records > 0 || errors === 0 || bytes_out > 0) return;
  const codes = Object.entries(errors_by_code ?? {}).map(([code, count]) => `${code}: ${count}`);
  const none = lines === 1 ? "the line was not" : `not one of ${lines} lines was`;
  // As with the lines of readline, which come without their LFs.
  const isJoined = isText && lines === 1 && errors_by_code?.["invalid_json"] !== undefined;
  const hint = isJoined ? ", and records in text need an LF between them" : "";
  const detail = `${none} a record (${codes.join(", ")}); onError: "emit" tells more${hint}`;
  throw new ForstError("no_records", detail, { status: 200 });
}
