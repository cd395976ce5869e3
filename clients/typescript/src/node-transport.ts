/** Requests over node:http, with a connection for each stream, over TCP, TLS or a Unix socket. */

import type * as Http from "node:http";
import type * as Https from "node:https";
import type * as Zlib from "node:zlib";

import { ChunkedBody } from "./chunked-body.js";
import { builtin } from "./platform.js";
import { lostConnection, NodeReader } from "./readable.js";
import type { Exchange, Transport, TransportRequest, TransportResponse } from "./transport.js";

/** TLS options, as in node:tls. */
export interface TlsOptions {
  ca?: string | Uint8Array | (string | Uint8Array)[] | undefined;
  cert?: string | Uint8Array | undefined;
  key?: string | Uint8Array | undefined;
  passphrase?: string | undefined;
  servername?: string | undefined;
  rejectUnauthorized?: boolean | undefined;
}

/** Return the transport over node:http, undefined in a runtime that has no such module. */
export function nodeTransport(tls: TlsOptions = {}): Transport | undefined {
  const http = builtin<typeof Http>("node:http");
  const https = builtin<typeof Https>("node:https");
  if (!http || !https) return undefined;
  checkPem(tls);
  return {
    sendsHeadFirst: true,
    isDoneAfterWrite: true,
    open(request) {
      const { url, method, headers, socketPath } = request;
      // Without an agent, each request has a connection of its own: none can be closed by what
      // happened to an earlier stream.
      const options = { method, headers, agent: false as const, ...(socketPath && { socketPath }) };
      const sent = url.startsWith("https:")
        ? https.request(url, { ...options, ...(tls as Https.RequestOptions) })
        : http.request(url, options);
      return new NodeExchange(sent, request);
    },
  };
}

/** Check that nothing is the path of a file: Node ignores an authority that is no certificate. */
function checkPem(tls: TlsOptions): void {
  for (const name of ["ca", "cert", "key"] as const) {
    for (const value of [tls[name]].flat()) {
      if (typeof value !== "string" || value.includes("-----BEGIN ")) continue;
      throw new TypeError(`tls.${name} must be the content of a PEM file, not its path`);
    }
  }
}

class NodeExchange implements Exchange {
  readonly response: Promise<TransportResponse>;
  private readonly request: Http.ClientRequest;
  private readonly gzip: Zlib.Gzip | undefined;
  private error: Error | undefined;
  private wake = (): void => {};

  constructor(request: Http.ClientRequest, options: TransportRequest) {
    this.request = request;
    let reject = (_error: Error): void => {};
    const failed = (error: Error): void => {
      this.error ??= error;
      this.wake();
      reject(error);
    };
    const body = new ChunkedBody(request);
    this.response = new Promise((resolve, rejected) => {
      reject = rejected;
      request.on("error", failed);
      // Without an error, as when the server changes the protocol.
      request.on("close", () => failed(lostConnection()));
      request.on("response", (response) => {
        resolve(new NodeResponse(response, body, options.decompress));
      });
    });
    this.response.catch(() => {});
    request.on("drain", () => this.wake());
    if (options.compress) {
      const { createGzip } = zlib();
      this.gzip = createGzip({ level: 1 });
      this.gzip.on("error", failed);
      this.gzip.on("drain", () => this.wake());
    }
    if (options.body) request.end(options.body);
    else request.flushHeaders();
    this.gzip?.pipe(request);
  }

  async write(piece: Uint8Array): Promise<void> {
    if (this.error) throw this.error;
    const { gzip, request } = this;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      if (gzip) {
        gzip.write(piece);
        gzip.flush(zlib().constants.Z_SYNC_FLUSH, resolve);
      } else request.write(piece, () => resolve());
    });
    // Compressed data may still have to be sent.
    while (request.writableNeedDrain && !this.error) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    if (this.error) throw this.error;
  }

  end(): void {
    (this.gzip ?? this.request).end();
  }

  destroy(): void {
    this.error ??= lostConnection();
    this.request.destroy();
    this.gzip?.destroy();
    this.wake();
  }
}

class NodeResponse implements TransportResponse {
  readonly status: number;
  readonly reason: string;
  readonly headers: Record<string, string | undefined>;
  private readonly response: Http.IncomingMessage;
  private readonly reader: NodeReader;

  constructor(response: Http.IncomingMessage, body: ChunkedBody, decompress: boolean) {
    this.response = response;
    this.status = response.statusCode ?? 0;
    this.reason = response.statusMessage ?? "";
    this.headers = texts(response.headers);
    if (!decompress || this.headers["content-encoding"] !== "gzip") {
      this.reader = new NodeReader(body.of(response));
      return;
    }
    const { createGunzip, constants } = zlib();
    const unzipped = response.pipe(createGunzip({ flush: constants.Z_SYNC_FLUSH }));
    const reader = new NodeReader(unzipped, true);
    response.on("error", (error) => reader.fail(error));
    response.on("close", () => {
      if (!response.complete) reader.fail(lostConnection());
    });
    this.reader = reader;
  }

  read(): Promise<Uint8Array | undefined> {
    return this.reader.read();
  }

  take(): Uint8Array | undefined {
    return this.reader.take();
  }

  trailers(): Record<string, string | undefined> {
    return texts(this.response.trailers);
  }
}

function texts(headers: Http.IncomingHttpHeaders): Record<string, string | undefined> {
  const found: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers)) {
    found[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return found;
}

function zlib(): typeof Zlib {
  const found = builtin<typeof Zlib>("node:zlib");
  if (!found) throw new TypeError("compression needs node:zlib");
  return found;
}
