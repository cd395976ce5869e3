// The examples of the specification, as printed there, with the functions that they leave open.

import {
  defaultStreamingConfig,
  ForstStreamingClient,
  StreamingErrorHandler,
  StreamingIntegration,
  type ProcessedRecord,
  type StreamingConfig,
} from "forstcore";

type DatasetRecord = { id: string; data: string };

async function* createLargeDatasetIterator(): AsyncGenerator<DatasetRecord> {
  yield { id: "1", data: "a" };
}

declare function updateDashboard(result: ProcessedRecord): void;

// Process millions of records without loading into memory
export async function processLargeDataset() {
  const streamingIntegration = new StreamingIntegration({
    baseUrl: "http://localhost:8080",
  });

  // Create async iterable for large dataset
  const records = createLargeDatasetIterator();

  // Stream processing with immediate results
  for await (const processed of streamingIntegration.processLargeDataset(
    records
  )) {
    console.log("Processed:", processed);
    // Handle each result as it arrives
  }
}

// Real-time data processing with streaming
export async function handleRealTimeData() {
  const streamingIntegration = new StreamingIntegration({
    baseUrl: "http://localhost:8080",
  });

  // Process real-time data stream
  const results = streamingIntegration.processRealTimeData({
    source: "sensor-data",
    filters: { temperature: "high" },
  });

  for await (const result of results) {
    // Handle real-time processed data
    updateDashboard(result);
  }
}

export const config: StreamingConfig = { ...defaultStreamingConfig, workers: 4 };

export async function retried(): Promise<string> {
  const handler = new StreamingErrorHandler(config);
  return await handler.handleStreamingError(async () => "done", "a test");
}

// The signatures that it declares: with `await`, as its classes are asynchronous.
export async function signatures(stream: AsyncIterable<DatasetRecord>) {
  const client = new ForstStreamingClient({ baseUrl: "http://localhost:8080" });
  const options = { headers: { "X-Request": "1" }, chunkSize: 1024, timeout: 5_000 };
  const results = await client.streamToForst("streaming-process", stream, options);
  const wanted = { source: "x", from: "start" };
  const bytes = await client.processStreamingData("real-time-process", wanted, options);
  return [results, bytes];
}
