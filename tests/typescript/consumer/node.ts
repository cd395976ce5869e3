// What needs the types of Node.

import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { ForstStreamingClient, StreamingIntegration } from "forstcore";
import { startSidecar, type Sidecar } from "forstcore/sidecar";

const client = new ForstStreamingClient();
const integration = new StreamingIntegration(client);

export async function streams(): Promise<void> {
  const file = createReadStream("x.ndjson");
  for await (const one of client.streamToForst("/streaming-process", file)) console.log(one);
  const records = Readable.from([{ id: "1", data: "x" }]);
  for await (const one of client.streamToForst("/streaming-process", records)) console.log(one);
  const web = new ReadableStream<{ id: string; data: string }>();
  for await (const one of client.streamToForst("/streaming-process", web)) console.log(one);
  const bytes = client.processStreamingData("/streaming-process", file);
  for await (const piece of bytes) process.stdout.write(piece);
  await pipeline(
    file,
    (source: AsyncIterable<Buffer>) => client.processStreamingData("/streaming-process", source),
    process.stdout,
  );
  const { signal } = new AbortController();
  client.streamToForst("/streaming-process", web, { signal });
}

export async function sidecar(): Promise<void> {
  const started: Sidecar = await startSidecar({
    processors: "prices.py",
    python: process.env["PYTHON"],
    env: process.env,
    onLog: console.log,
  });
  for await (const one of started.client.streamToForst("/price", [{}])) console.log(one);
  await started.stop();
}

export const server = createServer((request, response) => {
  void integration.handleStreamingRequest(request, response);
});

export async function POST(request: Request): Promise<Response> {
  return await integration.handleStreamingRequest(request);
}
