/** Handlers of web applications: for Node's request and response, and for those of the web. */

import type { Bytes } from "./bytes.js";
import type { ForstStreamingClient } from "./client.js";
import { ForstError } from "./errors.js";
import { forward, problem, type Forwarded } from "./forward.js";
import { timer, turn } from "./platform.js";
import { NodeReader, type NodeReadable } from "./readable.js";

/** Node's `IncomingMessage`, or Express's request. */
export interface NodeRequest extends NodeReadable {
  method?: string | undefined;
  headers: Record<string, string | string[] | undefined>;
  readonly readableDidRead: boolean;
  readonly readableEnded: boolean;
}

/** Node's `ServerResponse`, or Express's response. */
export interface NodeResponse {
  statusCode: number;
  readonly destroyed: boolean;
  setHeader(name: string, value: string): unknown;
  flushHeaders?(): void; // The types of HTTP/2 lack it.
  write(chunk: Uint8Array): boolean;
  addTrailers(headers: Record<string, string>): void;
  end(): unknown;
  destroy(): unknown;
  on(event: string, listener: () => void): unknown;
}

const CONSUMED = "the body was read before: put this handler in front of any body parser";

const INTERNAL_ERROR = 2; // A code of HTTP/2.

const LONGEST_DROP_MS = 5_000;

const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** Handle a request of Node; report a response that was cut to `onCut`. */
export async function handleNode(
  client: ForstStreamingClient,
  endpoint: string,
  request: NodeRequest,
  response: NodeResponse,
  onCut: (error: ForstError) => void,
): Promise<void> {
  if (typeof request?.resume !== "function" || typeof response?.setHeader !== "function") {
    const places = "request.raw and reply.raw of Fastify, ctx.req and ctx.res of Koa";
    throw new TypeError(`this needs Node's own request and response: ${places}`);
  }
  const reader = request.readableDidRead || request.readableEnded ? undefined : new NodeReader(request);
  let hasClosed = false;
  let isFull = false;
  const left = new AbortController();
  let forwarded: Forwarded | undefined;
  let wake = (): void => {};
  response.on("drain", () => {
    isFull = false;
    wake();
  });
  const leave = (): void => {
    hasClosed = true;
    left.abort();
    wake();
  };
  response.on("close", leave);
  request.on("aborted", leave); // In HTTP/2, a request that is not read to its end does not close.
  const hasRoom = async (): Promise<void> => {
    while (isFull && !hasClosed) {
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  try {
    forwarded = await answer(client, endpoint, request, reader, left.signal);
    if (hasClosed) return;
    response.statusCode = forwarded.status;
    for (const [name, value] of Object.entries(forwarded.headers)) response.setHeader(name, value);
    response.flushHeaders?.();
    for (let data = await forwarded.read(); data; data = await forwarded.read()) {
      isFull = !response.write(data);
      // The compression of Express keeps what is not flushed.
      (response as { flush?(): void }).flush?.();
      await hasRoom();
    }
    const trailers = forwarded.trailers();
    if (Object.keys(trailers).length > 0) response.addTrailers(trailers as Record<string, string>);
    response.end();
  } catch (error) {
    if (!(error instanceof ForstError)) throw error;
    if (hasClosed) return; // The client has gone.
    cut(response);
    onCut(error);
  } finally {
    forwarded?.close();
    // Some clients send all of the body before they read the response.
    if (reader) reader.drop();
    else request.resume();
  }
}

/** Handle a request of the web; report a response that was cut to `onCut`. */
export async function handleWeb(
  client: ForstStreamingClient,
  endpoint: string,
  request: Request,
  onCut: (error: ForstError) => void,
): Promise<Response> {
  const isConsumed = request.bodyUsed || (request.body?.locked ?? false);
  const reader = request.body?.locked ? undefined : request.body?.getReader();
  const headers: Record<string, string> = {};
  request.headers.forEach((value, name) => (headers[name] = value));
  const left = new AbortController();
  const leave = (): void => {
    left.abort();
    reader?.cancel().catch(() => {});
  };
  if (request.signal?.aborted) leave();
  else request.signal?.addEventListener("abort", leave, { once: true });
  const forwarded = isConsumed
    ? problem(500, "body_consumed", CONSUMED)
    : await forward(
        client,
        endpoint,
        { method: request.method, headers, read: async () => (await reader?.read())?.value },
        left.signal,
      );
  const end = (): void => {
    forwarded.close();
    if (reader) void drop(reader);
  };
  const { status, headers: answered } = forwarded;
  if (WITHOUT_BODY.has(status)) {
    end();
    return new Response(null, { status, headers: answered });
  }
  const body = new ReadableStream<Bytes>(
    {
      async pull(controller) {
        try {
          const data = await forwarded.read();
          if (data) return controller.enqueue(data as Bytes);
          controller.close();
          end();
        } catch (error) {
          if (error instanceof ForstError && !request.signal?.aborted) onCut(error);
          leave();
          throw error;
        }
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { status, headers: answered });
}

/**
 * Drop the rest of a body for a while: some clients send all of it before they read the response, and
 * a runtime may close the connection when a body is cancelled.
 */
async function drop(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const cancel = (): void => void reader.cancel().catch(() => {});
  const stopTimer = timer(cancel, LONGEST_DROP_MS);
  try {
    while (!(await reader.read()).done) await turn(); // A body in memory may never pause.
  } catch {
    // The client has gone.
  } finally {
    stopTimer();
  }
}

/** End a response so that its client notices. */
function cut(response: NodeResponse): void {
  const { stream } = response as { stream?: { close?(code: number): void } };
  // In HTTP/2, a stream that is only destroyed ends like a complete one.
  if (stream?.close) stream.close(INTERNAL_ERROR);
  else response.destroy();
}

async function answer(
  client: ForstStreamingClient,
  endpoint: string,
  request: NodeRequest,
  reader: NodeReader | undefined,
  left: AbortSignal,
): Promise<Forwarded> {
  if (!reader) return problem(500, "body_consumed", CONSUMED);
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  const method = request.method ?? "POST";
  return await forward(client, endpoint, { method, headers, read: () => reader.read() }, left);
}
