/**
 * A Fastify app whose `POST /process` streams its body through forstcore in both directions.
 *
 *     npm run setup && npm run build
 *     PORT=3000 FORST_URL=http://127.0.0.1:8080 node build/fastify/app.js
 *     curl -sN -X POST -T records.ndjson http://127.0.0.1:3000/process
 */

import Fastify from "fastify";

import { ForstStreamingClient, StreamingIntegration } from "forstcore";

const { PORT = "3000", FORST_URL, FORST_TOKEN } = process.env;
const client = new ForstStreamingClient(FORST_URL, { token: FORST_TOKEN });
const integration = new StreamingIntegration(client);

const app = Fastify();

// A scope of its own, so that other routes keep their parsers. This one's leaves the body unread.
app.register(async (scope) => {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
  scope.post("/process", async (request, reply) => {
    reply.hijack();
    await integration.handleStreamingRequest(request.raw, reply.raw);
  });
});

const address = await app.listen({ port: Number(PORT), host: "127.0.0.1" });
// By default Node aborts an upload after five minutes.
app.server.requestTimeout = 0;
console.log(`listens on ${address}`);
