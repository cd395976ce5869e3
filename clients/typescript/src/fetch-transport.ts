/** Requests over fetch, for runtimes without node:http. */

import type { Bytes } from "./bytes.js";
import type { Exchange, Transport, TransportRequest, TransportResponse } from "./transport.js";

/** Return the transport over a `fetch` that can stream in both directions. */
export function fetchTransport(send: typeof fetch = fetch): Transport {
  return {
    sendsHeadFirst: false,
    open(request) {
      if (request.socketPath !== undefined) throw new TypeError("fetch cannot use Unix sockets");
      if (request.compress) throw new TypeError("fetch cannot compress and flush each piece");
      return new FetchExchange(send, request);
    },
  };
}

class FetchExchange implements Exchange {
  readonly response: Promise<TransportResponse>;
  private readonly abort = new AbortController();
  private controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  private isClosed = false;
  private pulled = (): void => {};

  constructor(send: typeof fetch, request: TransportRequest) {
    const { url, method, headers, body } = request;
    const init: RequestInit & { duplex: "half" } = {
      method,
      headers,
      body: (body as Bytes | undefined) ?? this.stream(),
      duplex: "half",
      // Otherwise fetch keeps the whole body, to send it again to the target of a redirect.
      redirect: "error",
      signal: this.abort.signal,
    };
    this.response = send(url, init).then((response) => this.received(response));
    this.response.catch(() => this.close());
  }

  async write(piece: Uint8Array): Promise<void> {
    if (this.isClosed) throw new Error("the connection was closed");
    const pulled = new Promise<void>((resolve) => (this.pulled = resolve));
    this.controller?.enqueue(piece);
    await pulled;
  }

  end(): void {
    if (!this.isClosed) this.controller?.close();
    this.isClosed = true;
  }

  destroy(): void {
    this.abort.abort();
    this.close();
  }

  private close(): void {
    this.isClosed = true;
    this.pulled();
  }

  private stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.controller = controller;
        },
        pull: () => this.pulled(),
        cancel: () => this.close(),
      },
      { highWaterMark: 1 },
    );
  }

  private received(response: Response): TransportResponse {
    const reader = response.body?.getReader();
    // After the head of the response, fetch loses its signal at the next garbage collection.
    this.abort.signal.addEventListener("abort", () => void reader?.cancel().catch(() => {}));
    const headers: Record<string, string> = {};
    response.headers.forEach((value, name) => (headers[name] = value));
    return {
      status: response.status,
      reason: response.statusText,
      headers,
      read: async () => {
        const chunk = await reader?.read();
        this.abort.signal.throwIfAborted();
        return chunk?.value;
      },
      trailers: () => ({}),
    };
  }
}
