/** How requests are sent: the interface of transports, and the choice between them. */

/** A request with a streaming body. */
export interface TransportRequest {
  /** With the scheme http: or https:. */
  url: string;
  /** The path of a Unix socket to connect to, instead of the URL's host. */
  socketPath: string | undefined;
  method: string;
  headers: Record<string, string>;
  /** The whole body; undefined if it is written in pieces. */
  body: Uint8Array | undefined;
  /** Whether to compress what is written with gzip, and to flush after each piece. */
  compress: boolean;
  /** Whether to decompress the response. */
  decompress: boolean;
}

/** The response to a request, whose body may still be on its way. */
export interface TransportResponse {
  status: number;
  reason: string;
  /** Names are in lower case. */
  headers: Record<string, string | undefined>;
  /** Return the next part of the body, undefined at its end; reject where it was cut. */
  read(): Promise<Uint8Array | undefined>;
  /** Return a part of the body that has arrived already, undefined if there is none. */
  take?(): Uint8Array | undefined;
  /** Return the trailers, after the end of the body. */
  trailers(): Record<string, string | undefined>;
}

/** A request in progress, over a connection of its own. */
export interface Exchange {
  /** Resolves with the head of the response, while the body may still be being sent. */
  readonly response: Promise<TransportResponse>;
  /** Send a piece of the body; resolve when there is room for the next one. */
  write(piece: Uint8Array): Promise<void>;
  /** End the body. */
  end(): void;
  /** Close the connection at once; pending operations are rejected. */
  destroy(): void;
}

/** Sends requests. */
export interface Transport {
  /** Whether the head of a request is sent before the first piece of its body. */
  readonly sendsHeadFirst: boolean;
  /** Whether the memory of a piece may be used again when `write` has resolved; by default not. */
  readonly isDoneAfterWrite?: boolean;
  open(request: TransportRequest): Exchange;
}
