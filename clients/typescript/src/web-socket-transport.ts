/** Requests over WebSockets, for pages, whose fetch cannot send and receive at the same time. */

import { encoded } from "./bytes.js";
import type { Exchange, Transport, TransportRequest, TransportResponse } from "./transport.js";
import { END, HEADER_PREFIX, ROOM, ROOM_PARAMETER, TICKET_PARAMETER } from "./wire.js";

const ROOM_SIZE = 1 << 18; // Bytes of results that may wait to be read.
const MESSAGE_SIZE = 1 << 16;
const LIVE = /\/real-time-process$/;
const NOT_A_SOCKET = 426;

/** Options of the transport. */
export interface WebSocketOptions {
  /**
   * Return a ticket from `POST /tickets`, for a server that requires a token. Without it, and if
   * the client has the token, tickets are requested from the server itself.
   */
  ticket?: (() => string | Promise<string>) | undefined;
}

/** The part of `WebSocket` that is needed. */
interface Socket {
  binaryType: string;
  onopen: (() => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  send(data: string | Uint8Array): void;
  close(): void;
}
type SocketClass = new (url: string) => Socket;

/** Return the transport over WebSockets. */
export function webSocketTransport(options: WebSocketOptions = {}): Transport {
  return {
    sendsHeadFirst: true,
    open(request) {
      if (request.socketPath !== undefined) throw new TypeError("pages cannot use Unix sockets");
      if (request.compress) throw new TypeError("WebSockets do not compress");
      if (typeof WebSocket !== "function") {
        throw new TypeError("this runtime has no WebSocket; Node has it since version 22");
      }
      return new SocketExchange(request, options);
    },
  };
}

/** Return the transport for a page or its workers, undefined anywhere else. */
export function pageTransport(): Transport | undefined {
  const { document, importScripts, WebSocket } = globalThis as Record<string, unknown>;
  const isPage = document !== undefined || typeof importScripts === "function";
  return isPage && WebSocket !== undefined ? webSocketTransport() : undefined;
}

class SocketExchange implements Exchange {
  readonly response: Promise<TransportResponse>;
  private readonly options: WebSocketOptions;
  private readonly token: string | undefined;
  private readonly url: URL;
  private readonly isLive: boolean;
  private socket: Socket | undefined;
  private resolve: (response: TransportResponse) => void = () => {};
  private reject: (error: Error) => void = () => {};
  private isOpen = false;
  private room = 0; // Bytes that may be sent in total,
  private sent = 0; // and that were.
  private granted = ROOM_SIZE; // Bytes that the server may send in total,
  private taken = 0; // and that were read.
  private readonly queue: Uint8Array[] = [];
  private hasEnded = false;
  private error: Error | undefined;
  private wakeReader = (): void => {};
  private wakeWriter = (): void => {};

  constructor(request: TransportRequest, options: WebSocketOptions) {
    this.options = options;
    this.url = new URL(request.url);
    this.isLive = LIVE.test(this.url.pathname);
    this.token = this.useHeaders(request.headers);
    this.response = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.response.catch(() => {});
    // The request for a source is in the URL, so it has to be known before connecting.
    if (!this.isLive) void this.connect(request.body);
    else if (request.body) this.want(request.body);
  }

  async write(piece: Uint8Array): Promise<void> {
    if (this.isLive && !this.url.searchParams.has("source")) return this.want(piece);
    for (let start = 0; start < piece.length; start += MESSAGE_SIZE) {
      while (this.sent >= this.room && !this.error && !this.hasEnded) {
        await new Promise<void>((resolve) => (this.wakeWriter = resolve));
      }
      if (this.error) throw this.error;
      if (this.hasEnded) throw closed("the server has ended the stream");
      const part = piece.subarray(start, start + MESSAGE_SIZE);
      this.sent += part.length;
      this.socket?.send(part);
    }
  }

  end(): void {
    if (!this.error && !this.hasEnded) this.socket?.send(END);
  }

  destroy(): void {
    this.fail(closed("the connection was closed"));
    this.socket?.close();
  }

  /** Put headers into the query; return the token. */
  private useHeaders(headers: Record<string, string>): string | undefined {
    let token: string | undefined;
    const { searchParams } = this.url;
    for (const [name, value] of Object.entries(headers)) {
      if (name.startsWith(HEADER_PREFIX)) searchParams.set(name, value);
      else if (name === "authorization") token = value;
      else if (!["content-type", "accept-encoding"].includes(name)) {
        throw new TypeError(`a WebSocket cannot send the header ${name}`);
      }
    }
    searchParams.set(ROOM_PARAMETER, `${ROOM_SIZE}`);
    return token;
  }

  private want(head: Uint8Array): void {
    const wanted = JSON.parse(new TextDecoder().decode(head)) as Record<string, unknown>;
    for (const [name, value] of Object.entries(wanted)) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      if (text !== undefined) this.url.searchParams.set(name, text);
    }
    void this.connect(undefined);
  }

  private async connect(body: Uint8Array | undefined): Promise<void> {
    const { WebSocket } = globalThis as unknown as { WebSocket: SocketClass };
    let socket: Socket;
    try {
      const ticket = await this.ticket();
      if (ticket) this.url.searchParams.set(TICKET_PARAMETER, ticket);
      if (this.error) return;
      // It throws in pages over https: if the server has no TLS.
      socket = new WebSocket(this.url.href.replace(/^http/, "ws"));
    } catch (error) {
      return this.fail(error as Error);
    }
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.isOpen = true;
      this.resolve({
        status: 200,
        reason: "OK",
        headers: {},
        read: () => this.read(),
        trailers: () => ({}),
      });
      if (body) this.write(body).then(() => this.end(), () => {});
    };
    socket.onmessage = ({ data }) => this.receive(data);
    socket.onclose = ({ code, reason }) => {
      if (!this.isOpen) void this.explain();
      else if (code === 1000) this.finish();
      else this.fail(closed(`the WebSocket was closed (${code}${reason && `, ${reason}`})`));
    };
  }

  private async ticket(): Promise<string | undefined> {
    if (this.options.ticket) return await this.options.ticket();
    if (this.token === undefined) return undefined;
    const headers = { authorization: this.token };
    const url = new URL("tickets", this.url.href.replace(/\?.*/, ""));
    const response = await reach(url, { method: "POST", headers });
    if (!response.ok) {
      this.resolve(plain(response));
      throw closed(`there is no ticket: ${response.status}`);
    }
    return ((await response.json()) as { ticket: string }).ticket;
  }

  /** Ask why the WebSocket was refused, which its API does not tell. */
  private async explain(): Promise<void> {
    const abort = new AbortController();
    try {
      const response = await reach(this.url, { signal: abort.signal });
      if (!response.ok && response.status !== NOT_A_SOCKET) return this.resolve(plain(response));
      abort.abort();
      this.fail(closed("the WebSocket was refused; does a proxy not support them?"));
    } catch (error) {
      this.fail(error as Error);
    }
  }

  private receive(data: unknown): void {
    if (data instanceof ArrayBuffer) {
      this.queue.push(new Uint8Array(data));
      this.wakeReader();
    } else if (typeof data === "string" && data.startsWith(`${ROOM} `)) {
      this.room = Number(data.slice(ROOM.length));
      this.wakeWriter();
    }
  }

  private async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const piece = this.queue.shift();
      if (piece) {
        this.take(piece.length);
        return piece;
      }
      if (this.hasEnded) return undefined;
      if (this.error) throw this.error;
      await new Promise<void>((resolve) => (this.wakeReader = resolve));
    }
  }

  private take(size: number): void {
    this.taken += size;
    if (this.taken + ROOM_SIZE - this.granted < ROOM_SIZE / 2) return;
    this.granted = this.taken + ROOM_SIZE;
    if (!this.hasEnded && !this.error) this.socket?.send(`${ROOM} ${this.granted}`);
  }

  private finish(): void {
    this.hasEnded = true;
    this.wakeReader();
    this.wakeWriter();
  }

  private fail(error: Error): void {
    this.error ??= error;
    this.reject(this.error);
    this.wakeReader();
    this.wakeWriter();
  }
}

async function reach(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url.href, init);
  } catch (error) {
    // Pages do not learn why. Another attempt may succeed.
    const { message } = error as Error;
    throw Object.assign(new Error(message), { code: "ECONNREFUSED", cause: error });
  }
}

function plain(response: Response): TransportResponse {
  let isRead = false;
  return {
    status: response.status,
    reason: response.statusText,
    headers: { "retry-after": response.headers.get("retry-after") ?? undefined },
    read: async () => {
      if (isRead) return undefined;
      isRead = true;
      return encoded(await response.text());
    },
    trailers: () => ({}),
  };
}

function closed(message: string): Error {
  return Object.assign(new Error(message), { code: "ECONNRESET" });
}
