/** Forwards the request of another client to the server, and streams the response back. */

import { encoded } from "./bytes.js";
import type { ForstStreamingClient } from "./client.js";
import { reason } from "./connection.js";
import { ForstError } from "./errors.js";
import { timer } from "./platform.js";
import { configOf } from "./options.js";
import type { Exchange, TransportResponse } from "./transport.js";
import { HEADER_PREFIX, PROBLEM_TYPE } from "./wire.js";

// An allow-list keeps out hop-by-hop headers, and credentials that are meant for the application.
const REQUEST_HEADERS = new Set([
  "accept",
  "accept-encoding",
  "content-encoding",
  "content-type",
  "traceparent",
  "tracestate",
]);
const RESPONSE_HEADERS = new Set([
  "allow",
  "cache-control",
  "content-encoding",
  "content-type",
  "retry-after",
  "vary",
  "x-accel-buffering",
]);

/** A request to forward. */
export interface IncomingRequest {
  method: string;
  /** Names are in lower case. */
  headers: Record<string, string | undefined>;
  /** Return the next part of the body, undefined at its end; reject if the client has gone. */
  read(): Promise<Uint8Array | undefined>;
}

/** A forwarded request, and the head of the response to it. */
export interface Forwarded {
  status: number;
  headers: Record<string, string>;
  /** Return the next part of the body, undefined at its end; reject where it is cut. */
  read(): Promise<Uint8Array | undefined>;
  trailers(): Record<string, string | undefined>;
  /** Drop the rest of the exchange. */
  close(): void;
}

/**
 * Forward a request; return its response, or an error response in its place.
 *
 * @param left aborted when the client has gone.
 */
export async function forward(
  client: ForstStreamingClient,
  endpoint: string,
  request: IncomingRequest,
  left: AbortSignal,
): Promise<Forwarded> {
  const { address, transport, options } = client;
  const headers = allowed(request.headers, REQUEST_HEADERS);
  headers["accept-encoding"] ??= "identity";
  if (/\btrailers\b/i.test(request.headers["te"] ?? "")) headers["te"] = "trailers";
  if (address.token !== undefined) headers["authorization"] = `Bearer ${address.token}`;
  const place = address.describe(endpoint);
  const exchange = transport.open({
    url: address.url(endpoint),
    socketPath: address.socketPath,
    method: request.method,
    headers,
    body: undefined,
    compress: false,
    decompress: false,
  });
  const leave = (): void => exchange.destroy();
  if (left.aborted) leave();
  else left.addEventListener("abort", leave, { once: true });
  let isLate = false;
  const cancel = timer(() => {
    isLate = true;
    exchange.destroy();
  }, configOf(options).timeout);
  void upload(request, exchange);
  let response: TransportResponse;
  try {
    response = await exchange.response;
  } catch (error) {
    if (isLate) return problem(504, "timeout", `${place} does not answer`);
    return problem(502, "unreachable", `${place} cannot be reached: ${reason(error)}`);
  } finally {
    cancel();
  }
  return {
    status: response.status,
    headers: allowed(response.headers, RESPONSE_HEADERS),
    read: () => response.read().catch((error: unknown) => Promise.reject(cut(place, error))),
    trailers: () => response.trailers(),
    close: () => exchange.destroy(),
  };
}

/** Return an error response. */
export function problem(status: number, code: string, detail: string): Forwarded {
  const parts: Uint8Array[] = [encoded(`${JSON.stringify({ status, code, detail })}\n`)];
  return {
    status,
    headers: { "content-type": PROBLEM_TYPE },
    read: async () => parts.pop(),
    trailers: () => ({}),
    close: () => {},
  };
}

async function upload(request: IncomingRequest, exchange: Exchange): Promise<void> {
  let isReading = true;
  try {
    for (;;) {
      isReading = true;
      const piece = await request.read();
      if (!piece) break;
      isReading = false;
      await exchange.write(piece);
    }
    exchange.end();
  } catch {
    // A partial upload must not look like a complete one. If it cannot be written, the response
    // says why.
    if (isReading) exchange.destroy();
  }
}

function cut(place: string, cause: unknown): ForstError {
  const detail = `the connection to ${place} was lost: ${reason(cause)}`;
  return new ForstError("cut", detail, { status: 200, retriable: true, cause });
}

function allowed(
  headers: Record<string, string | undefined>,
  names: ReadonlySet<string>,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    if (names.has(name) || name.startsWith(HEADER_PREFIX)) found[name] = value;
  }
  return found;
}
