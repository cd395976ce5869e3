/**
 * An Express app whose `POST /process` streams its body through forstcore in both directions.
 *
 *     npm run setup && npm run build
 *     PORT=3000 FORST_URL=http://127.0.0.1:8080 node build/express/app.js
 *     curl -sN -X POST -T records.ndjson http://127.0.0.1:3000/process
 */

import type { AddressInfo } from "node:net";

import express from "express";

import { ForstStreamingClient, StreamingIntegration } from "forstcore";

const { PORT = "3000", FORST_URL, FORST_TOKEN } = process.env;
const client = new ForstStreamingClient(FORST_URL, { token: FORST_TOKEN });
const integration = new StreamingIntegration(client);

const app = express();
app.post("/process", (request, response) => integration.handleStreamingRequest(request, response));

const server = app.listen(Number(PORT), "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`listens on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
// By default Node aborts an upload after five minutes.
server.requestTimeout = 0;
