/** Names and values of the wire contract; tests compare them with those of the server. */

export const FRAMES = "Forst-Frames";
export const FIRST_LINE = "Forst-First-Line";
export const ON_ERROR = "Forst-On-Error";
export const ACK_HEADER = "Forst-Ack";
export const FILTER = "Forst-Filter";
export const HEADER_PREFIX = "forst-";

/** Media types. */
export const NDJSON = "application/x-ndjson";
export const PROBLEM_TYPE = "application/problem+json";

export const ACK = ":ack";
export const END = ":end";
export const ERROR = ":error";
export const MISSED = ":missed";
export const OFFSET = ":offset";
export const REJECTED = ":rejected";

/** A message for flow control over a WebSocket. */
export const ROOM = ":room";

/** Parameters of queries, for pages. */
export const ROOM_PARAMETER = "room";
export const TICKET_PARAMETER = "ticket";

/** Codes of an `:error` line after which another connection may succeed. */
export const RETRIABLE_CODES: ReadonlySet<string> = new Set(["draining", "overloaded", "timeout"]);

/** HTTP status codes of a request that may succeed later. */
export const RETRIABLE_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** The status of a live stream whose source requires acknowledgements. */
export const NEEDS_ACKS = 428;
