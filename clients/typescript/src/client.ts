/** The client: stream records to a server and receive results at the same time. */

import { ServerAddress, type UrlLike } from "./address.js";
import { fetchTransport } from "./fetch-transport.js";
import { given } from "./given.js";
import { isDocument, type Input } from "./input.js";
import { nodeTransport } from "./node-transport.js";
import {
  configOf,
  headersOf,
  modeOf,
  needsFrames,
  OPTION_TYPES,
  type ClientConfig,
  type ClientOptions,
  type StreamOptions,
} from "./options.js";
import type { ByteStream } from "./platform.js";
import type { InvalidLine, ProcessedRecord, StreamingRecord, Summary } from "./records.js";
import { byteStream } from "./byte-stream.js";
import { resultsOf, type InvalidLineHandler, type ResultStream } from "./results.js";
import { Document, type StreamRequest } from "./stream-request.js";
import { Subscription } from "./subscription.js";
import { Transfer } from "./transfer.js";
import type { Transport } from "./transport.js";
import { Upload } from "./upload.js";
import { pageTransport } from "./web-socket-transport.js";
import { ON_ERROR } from "./wire.js";

/** The endpoints of the built-in processor, whose records and results have known types. */
export type BuiltInEndpoint =
  | "streaming-process"
  | "/streaming-process"
  | "large-dataset-stream"
  | "/large-dataset-stream";

/** Streams records through a server; one object may run any number of streams at once. */
export class ForstStreamingClient {
  /** The address of the server. */
  readonly address: ServerAddress;
  /** The options of all streams. */
  readonly options: ClientOptions;
  /** How requests are sent. */
  readonly transport: Transport;

  /**
   * @param target the base URL, or an object with it and more options: `http://…`, `https://…` or
   *   `http+unix:///path/of/the.sock`.
   */
  constructor(
    target: string | UrlLike | ClientConfig = "http://127.0.0.1:8080",
    options: ClientOptions = {},
  ) {
    const isConfig = typeof target === "object" && target !== null && !("href" in target);
    const { baseUrl, ...rest } = isConfig ? target : { baseUrl: target };
    this.options = { ...given(rest, OPTION_TYPES), ...given(options, OPTION_TYPES) };
    this.address = new ServerAddress(baseUrl, this.options.token);
    this.transport =
      this.options.transport ??
      nodeTransport(this.options.tls) ??
      pageTransport() ??
      fetchTransport();
    configOf(this.options);
  }

  /**
   * Send records; iterate over their results, in order, while records are still being sent.
   *
   * The producer is read at the speed of the server, and its records are never delayed: when it
   * pauses, they are sent at once.
   *
   * While iterating, a ForstError is thrown, or what the producer threw.
   *
   * @param records objects, or NDJSON as text or bytes: whole, in an iterable, or from a stream.
   */
  streamToForst(
    endpoint: BuiltInEndpoint,
    records: Input<StreamingRecord>,
    options?: StreamOptions<"skip" | "fail">,
  ): ResultStream<ProcessedRecord>;
  streamToForst(
    endpoint: BuiltInEndpoint,
    records: Input<StreamingRecord>,
    options: StreamOptions,
  ): ResultStream<ProcessedRecord | InvalidLine>;
  streamToForst<TIn = unknown, TOut = any>(
    endpoint: string,
    records: Input<TIn>,
    options?: StreamOptions<"skip" | "fail">,
  ): ResultStream<TOut>;
  streamToForst<TIn = unknown, TOut = any>(
    endpoint: string,
    records: Input<TIn>,
    options: StreamOptions,
  ): ResultStream<TOut | InvalidLine>;
  streamToForst<TIn, TOut>(
    endpoint: string,
    records: Input<TIn>,
    options: StreamOptions = {},
  ): ResultStream<TOut> {
    const chosen = given(options, OPTION_TYPES);
    return this.results(endpoint, this.upload(records, chosen), chosen);
  }

  /**
   * Send JSON, or NDJSON; return the result lines as a stream of bytes, split anywhere.
   *
   * An object that is not iterable is sent as one JSON document; any other input as in
   * `streamToForst`, and with the same errors.
   */
  processStreamingData<TIn = unknown>(
    endpoint: string,
    input: Input<TIn> | object,
    options: StreamOptions = {},
  ): ByteStream {
    const chosen = given(options, OPTION_TYPES);
    const request = isDocument(input) ? new Document(input) : this.upload(input, chosen);
    const [transfer, invalid] = this.transfer(endpoint, request, chosen);
    return byteStream(transfer, invalid);
  }

  /**
   * Ask an endpoint for a live stream; iterate over its results.
   *
   * When a connection is lost, the next one resumes from the last offset: no result is lost or
   * duplicated while the source still has the records. Some sources redeliver records until they
   * are acknowledged. This acknowledges results when the caller asks for the next one; those that
   * arrived together are acknowledged together.
   */
  followForst<TOut = ProcessedRecord>(
    endpoint: string,
    wanted: object,
    options?: StreamOptions<"skip" | "fail">,
  ): ResultStream<TOut>;
  followForst<TOut = ProcessedRecord>(
    endpoint: string,
    wanted: object,
    options: StreamOptions,
  ): ResultStream<TOut | InvalidLine>;
  followForst<TOut>(
    endpoint: string,
    wanted: object,
    options: StreamOptions = {},
  ): ResultStream<TOut> {
    return this.results(endpoint, new Subscription(wanted), given(options, OPTION_TYPES));
  }

  private upload(input: unknown, options: StreamOptions): Upload {
    const { isDoneAfterWrite } = this.transport;
    const config = configOf(this.options, options);
    return new Upload(input, config, options.resume ?? false, isDoneAfterWrite);
  }

  private results<T>(
    endpoint: string,
    request: StreamRequest,
    options: StreamOptions,
  ): ResultStream<T> {
    const [transfer, invalid] = this.transfer(endpoint, request, options);
    return resultsOf<T>(transfer, invalid);
  }

  private transfer(
    endpoint: string,
    request: StreamRequest,
    options: StreamOptions,
  ): [Transfer, InvalidLineHandler] {
    const headers = headersOf(this.options, options);
    const mode = modeOf(options, headers);
    const isDropping = mode === "skip" && options.onDrop;
    headers[ON_ERROR.toLowerCase()] = isDropping ? "emit" : mode;
    const { address, transport } = this;
    const { onStatus = () => {}, onMissed = warnMissed } = options;
    const isSilent = options.onError !== undefined || mode !== "skip" || isDropping;
    const onEnd = options.onEnd ?? (isSilent ? () => {} : warnRejected);
    const transfer = new Transfer(
      { address, transport, endpoint, headers, needsFrames: needsFrames(options, request.resume) },
      request,
      configOf(this.options, options),
      { onStatus, onMissed, onEnd },
      options.signal as AbortSignal | undefined,
    );
    const invalid = mode === "emit" ? "results" : isDropping || "nothing";
    return [transfer, invalid];
  }
}

function warnMissed(count: number | undefined): void {
  console.warn(`forstcore: ${count ?? "some"} records of a live stream were missed`);
}

function warnRejected({ errors, lines }: Summary): void {
  if (errors > 0) console.warn(`forstcore: ${errors} of ${lines} lines were rejected, see onError`);
}
