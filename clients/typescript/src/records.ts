/** The records that are sent, the results that come back, and what the server counts. */

/** A record of the built-in processor. Absent and null members count as empty strings. */
export interface StreamingRecord {
  id?: string | null | undefined;
  data?: string | null | undefined;
}

/** A result of the built-in processor. */
export interface ProcessedRecord {
  id: string;
  result: string;
  status: "success";
}

/** Takes the place of an invalid line: `line` counts from 1, `offset` in bytes from 0. */
export interface InvalidLine {
  status: "error";
  line: number;
  offset: number;
  code: string;
  message: string;
}

/** What happens to a line that is not a record. */
export type OnError = "skip" | "emit" | "fail";

/** The counts of a complete stream, or of its last connection after a resume. */
export interface Summary {
  /** Input lines, blank ones included. */
  lines: number;
  /** Lines that were records, and were processed. */
  records: number;
  /** Lines that were neither blank nor a record, and records that were refused. */
  errors: number;
  /** Result lines. */
  results: number;
  /** Bytes before processing. */
  bytes_in: number;
  /** Bytes after processing. */
  bytes_out: number;
  /** Digest of all result lines. */
  digest: string;
  /** Records that did not match the filter, if there were any. */
  filtered?: number;
  /** Records that a compiled processor gave back to its Python function, if there were any. */
  given_back?: number;
  /** How many lines were rejected for each reason, if no line was a record. */
  errors_by_code?: Record<string, number>;
}

// Of all copies of this package: an application may load it as ESM and as CommonJS.
const INVALID = Symbol.for("forstcore.invalidLine");

/**
 * Return whether a result takes the place of an invalid line. This relies on what the server
 * announces, because the result of a processor may have the same members.
 */
export function isInvalidLine(result: unknown): result is InvalidLine {
  return typeof result === "object" && result !== null && INVALID in result;
}

/** Parse an error line that the server has announced. */
export function invalidLine(text: string): InvalidLine {
  const line = JSON.parse(text) as InvalidLine;
  if (typeof line.code !== "string" || !Number.isInteger(line.line)) {
    throw new SyntaxError("a member is missing");
  }
  return Object.defineProperty(line, INVALID, { value: true });
}
