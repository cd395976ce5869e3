// What Node's types accept only where those of browsers do not replace them.

import { Readable } from "node:stream";

import { ForstStreamingClient } from "forstcore";

const bytes = new ForstStreamingClient().processStreamingData("/streaming-process", "{}\n");
Readable.fromWeb(bytes).pipe(process.stdout);
