/**
 * Streams the records of an async generator through a forstcore server.
 *
 *     npm run setup && npm run build
 *     node build/node/main.js [number of records] [address of the server]
 */

import { ForstStreamingClient, type StreamingRecord } from "forstcore";

async function* generated(count: number): AsyncGenerator<StreamingRecord> {
  for (let number = 1; number <= count; number++) {
    yield { id: `${number}`, data: `record ${number}` };
  }
}

const [count = "5", url] = process.argv.slice(2);
const client = new ForstStreamingClient(url);
const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort(new Error("interrupted")));

let shown = 0;
try {
  for await (const result of client.streamToForst("/streaming-process", generated(Number(count)), {
    signal: interrupt.signal,
    onEnd: (summary) => console.log(`${summary.lines} lines, ${summary.results} results`),
  })) {
    if (shown++ < 5) console.log(JSON.stringify(result));
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
