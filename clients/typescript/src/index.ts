/** A client of forstcore: streams records through a server, each result once and in order. */

export { ServerAddress, type UrlLike } from "./address.js";
export { ForstStreamingClient, type BuiltInEndpoint } from "./client.js";
export { defaultStreamingConfig, type RetryConfig, type StreamingConfig } from "./config.js";
export { ForstError, type ForstErrorDetails } from "./errors.js";
export { fetchTransport } from "./fetch-transport.js";
export type { Optional } from "./given.js";
export type { BlobLike, Input, Items, Text, WebStream } from "./input.js";
export { nodeTransport, type TlsOptions } from "./node-transport.js";
export type {
  ClientConfig,
  ClientOptions,
  CommonOptions,
  Frames,
  HeadersLike,
  StreamOptions,
} from "./options.js";
export type {
  ByteStream,
  PlatformDisposable,
  PlatformRequest,
  PlatformResponse,
  PlatformSignal,
} from "./platform.js";
export {
  isInvalidLine,
  type InvalidLine,
  type OnError,
  type ProcessedRecord,
  type StreamingRecord,
  type Summary,
} from "./records.js";
export type { ResultStream } from "./results.js";
export { StreamingErrorHandler, isRetriable } from "./retry.js";
export type { LiveRequest } from "./subscription.js";
export type { StreamStatus } from "./transfer.js";
export { webSocketTransport, type WebSocketOptions } from "./web-socket-transport.js";
export type { Exchange, Transport, TransportRequest, TransportResponse } from "./transport.js";
export {
  StreamingIntegration,
  type IntegrationOptions,
  type StreamingRequestHandler,
} from "./integration.js";
export type { NodeRequest, NodeResponse } from "./request-handler.js";
