// Records and results with types of their own.

import {
  ForstStreamingClient,
  StreamingIntegration,
  isInvalidLine,
  type ClientOptions,
  type IntegrationOptions,
  type InvalidLine,
  type LiveRequest,
  type ProcessedRecord,
  type RetryConfig,
  type StreamOptions,
  type TlsOptions,
} from "forstcore";

interface Order {
  orderId: number;
  amount: number;
}
interface Priced {
  orderId: number;
  total: number;
}

const client = new ForstStreamingClient();
const integration = new StreamingIntegration({ baseUrl: "http://127.0.0.1:1" });

async function* orders(): AsyncGenerator<Order> {
  yield { orderId: 1, amount: 2 };
}

export async function results(): Promise<void> {
  for await (const priced of client.streamToForst("/price", orders())) {
    const typed: Priced = priced;
    console.log(typed.total);
  }
  for await (const priced of client.streamToForst<Order, Priced>("/price", orders())) {
    console.log(priced.total satisfies number);
  }
  for await (const one of client.streamToForst("/streaming-process", [{ id: "1", data: "x" }])) {
    console.log(one.result satisfies string);
  }
  for await (const one of client.streamToForst("/enrich", [{ id: 1, name: "x" }])) console.log(one);
  const emit = { onError: "emit" } as const;
  for await (const one of client.streamToForst<Order, Priced>("/price", orders(), emit)) {
    const either: Priced | InvalidLine = one;
    console.log(isInvalidLine(either) ? either.code : either.total);
  }
  const options = { onDrop: (line: InvalidLine) => console.log(line.offset) };
  for await (const list of integration.processLargeDataset(["{}\n"], options).batches()) {
    console.log(list satisfies ProcessedRecord[]);
  }
}

export async function live(): Promise<string | undefined> {
  const wanted = { source: "events", from: "start", processor: "pass", filters: { level: "high" } };
  const results = integration.processRealTimeData<Priced>(wanted);
  for await (const priced of results) console.log(priced.total);
  return results.offset;
}

// As in `{ token: process.env.TOKEN }`.
const unset = {} as { text?: string; call?: () => void; isOn?: boolean; number?: number };
const { text, call, isOn, number } = unset;
const retry = { attempts: number, delay: number, maxDelay: number };

export function undefinedOptions(): void {
  const own = new ForstStreamingClient({ baseUrl: "http://127.0.0.1:1", token: text, retry });
  const options = { onDrop: call, onEnd: call, resume: isOn, timeoutMs: number, signal: undefined };
  client.streamToForst<Order, Priced>("/price", orders(), { ...options, onError: undefined });
  new StreamingIntegration(own, { endpoint: text, onCut: call });
  integration.processLargeDataset([{ id: text, data: text }], { ...options, compression: isOn });
  integration.processRealTimeData({ source: "events", from: text, filters: undefined });
}

type Unset<T> = Record<keyof T, undefined>;

/** Every option may be undefined. */
export function allUndefined(
  tls: Unset<TlsOptions>,
  retry: Unset<RetryConfig>,
  ofClient: Unset<ClientOptions>,
  ofStream: Unset<StreamOptions>,
  ofIntegration: Unset<IntegrationOptions>,
  ofSource: Omit<Unset<LiveRequest>, "source">,
): void {
  new ForstStreamingClient("http://127.0.0.1:1", { ...ofClient, retry, tls });
  client.streamToForst<Order, Priced>("/price", orders(), ofStream);
  new StreamingIntegration("http://127.0.0.1:1", ofIntegration);
  integration.processRealTimeData({ ...ofSource, source: "events" }, ofStream);
}

export const clients = [
  new ForstStreamingClient("http://127.0.0.1:1", { timeout: 5 }),
  new ForstStreamingClient({ baseUrl: "http://127.0.0.1:1", retry: { attempts: 3, delay: 10 } }),
  new StreamingIntegration("http://127.0.0.1:1"),
];
