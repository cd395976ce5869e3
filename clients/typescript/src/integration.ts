/** Streams inside an application: data sets, live sources, and forwarded requests. */

import type { UrlLike } from "./address.js";
import { ForstStreamingClient } from "./client.js";
import type { ForstError } from "./errors.js";
import { given } from "./given.js";
import type { Input } from "./input.js";
import type { ClientConfig, StreamOptions } from "./options.js";
import type { PlatformRequest, PlatformResponse } from "./platform.js";
import type { InvalidLine, OnError, ProcessedRecord, StreamingRecord } from "./records.js";
import {
  handleNode,
  handleWeb,
  type NodeRequest,
  type NodeResponse,
} from "./request-handler.js";
import type { ResultStream } from "./results.js";
import type { LiveRequest } from "./subscription.js";

/** The endpoints of an integration, and what it reports. */
export interface IntegrationOptions {
  /** Where requests are forwarded to. */
  endpoint?: string | undefined;
  /** Where data sets are sent. */
  datasetEndpoint?: string | undefined;
  /** Where live streams come from. */
  liveEndpoint?: string | undefined;
  /** Called when a forwarded response was cut; without it, `console.warn` reports that. */
  onCut?: ((error: ForstError) => void) | undefined;
}

type Chosen = { [Name in keyof IntegrationOptions]-?: NonNullable<IntegrationOptions[Name]> };

const TYPES: Record<string, string> = {
  endpoint: "string",
  datasetEndpoint: "string",
  liveEndpoint: "string",
  onCut: "function",
};

/** Handles requests of Node (also those of Express and Nest), or of the web. */
export interface StreamingRequestHandler {
  (request: NodeRequest, response: NodeResponse): Promise<void>;
  (request: PlatformRequest): Promise<PlatformResponse>;
}

/** Streams inside an application. */
export class StreamingIntegration {
  /** The client of all streams. */
  readonly client: ForstStreamingClient;
  /**
   * Forward a request to the server, and stream the response back at the same time.
   *
   * Takes request and response of Node, or a `Request`, for which it returns a `Response`. Put it in
   * front of body parsers: if the body has been read, the response is an error. If the stream fails
   * midway, the response is cut; for earlier failures it is a problem document.
   */
  readonly handleStreamingRequest: StreamingRequestHandler;
  private readonly options: Chosen;

  /** @param target a client, or the address and options of one. */
  constructor(
    target: ForstStreamingClient | ClientConfig | UrlLike | string = new ForstStreamingClient(),
    options: IntegrationOptions = {},
  ) {
    // A client may be of another copy of this package: one as ESM, one as CommonJS.
    const isClient = typeof target === "object" && target !== null && "streamToForst" in target;
    this.client = isClient ? target : new ForstStreamingClient(target);
    this.options = {
      endpoint: "/streaming-process",
      datasetEndpoint: "/large-dataset-stream",
      liveEndpoint: "/real-time-process",
      onCut: warnCut,
      ...(given(options, TYPES) as Partial<Chosen>),
    };
    // A property, so that it can be passed without the object it belongs to.
    this.handleStreamingRequest = ((request: NodeRequest | Request, response: NodeResponse) => {
      const { endpoint, onCut } = this.options;
      if (isOfWeb(request)) return handleWeb(this.client, endpoint, request, onCut);
      return handleNode(this.client, endpoint, request as NodeRequest, response, onCut);
    }) as StreamingRequestHandler;
  }

  /** Process records of a data set of any size; each result comes once and in order. */
  processLargeDataset<TIn = StreamingRecord, TOut = ProcessedRecord>(
    records: Input<TIn>,
    options?: StreamOptions<"skip" | "fail">,
  ): ResultStream<TOut>;
  processLargeDataset<TIn = StreamingRecord, TOut = ProcessedRecord>(
    records: Input<TIn>,
    options: StreamOptions,
  ): ResultStream<TOut | InvalidLine>;
  processLargeDataset<TIn, TOut>(
    records: Input<TIn>,
    options: StreamOptions<OnError> = {},
  ): ResultStream<TOut | InvalidLine> {
    const { datasetEndpoint } = this.options;
    return this.client.streamToForst<TIn, TOut>(datasetEndpoint, records, {
      ...options,
      resume: options.resume ?? options.frames !== "auto",
    });
  }

  /** Process the records of one of the server's live sources; reconnect after a loss. */
  processRealTimeData<TOut = ProcessedRecord>(
    input: LiveRequest,
    options?: StreamOptions<"skip" | "fail">,
  ): ResultStream<TOut>;
  processRealTimeData<TOut = ProcessedRecord>(
    input: LiveRequest,
    options: StreamOptions,
  ): ResultStream<TOut | InvalidLine>;
  processRealTimeData<TOut>(
    input: LiveRequest,
    options: StreamOptions<OnError> = {},
  ): ResultStream<TOut | InvalidLine> {
    return this.client.followForst<TOut>(this.options.liveEndpoint, input, options);
  }
}

/** Return whether a request is one of the web, of any realm or implementation. */
function isOfWeb(request: NodeRequest | Request | undefined): request is Request {
  return typeof request?.headers?.forEach === "function";
}

function warnCut(error: ForstError): void {
  console.warn(`forstcore: a forwarded response was cut: ${error.message}`);
}
