/**
 * A Nest app whose `POST /process` streams its body through forstcore in both directions.
 *
 *     npm run setup && npm run build
 *     PORT=3000 FORST_URL=http://127.0.0.1:8080 node build/nest/app.js
 *     curl -sN -X POST -T records.ndjson http://127.0.0.1:3000/process
 */

import "reflect-metadata";

import { Controller, Inject, Module, Post, Req, Res } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import type { NestExpressApplication } from "@nestjs/platform-express";
import type { Request, Response } from "express";

import { ForstStreamingClient, StreamingIntegration } from "forstcore";

const { PORT = "3000", FORST_URL, FORST_TOKEN } = process.env;
const client = new ForstStreamingClient(FORST_URL, { token: FORST_TOKEN });

@Controller()
class ProcessController {
  readonly #integration: StreamingIntegration;

  constructor(@Inject(StreamingIntegration) integration: StreamingIntegration) {
    this.#integration = integration;
  }

  @Post("process")
  async process(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.#integration.handleStreamingRequest(request, response);
  }
}

@Module({
  controllers: [ProcessController],
  providers: [{ provide: StreamingIntegration, useValue: new StreamingIntegration(client) }],
})
class AppModule {}

// Nest's body parsers would read the body before the route.
const app = await NestFactory.create<NestExpressApplication>(AppModule, {
  bodyParser: false,
  logger: ["error", "warn"],
});
await app.listen(Number(PORT), "127.0.0.1");
// By default Node aborts an upload after five minutes.
app.getHttpServer().requestTimeout = 0;
console.log(`listens on ${await app.getUrl()}`);
