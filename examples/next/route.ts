/**
 * A route handler of Next (`app/process/route.ts`), which streams the body of a request through
 * forstcore in both directions. Hono, Bun and Deno take the same function.
 */

import { StreamingIntegration } from "forstcore";

const { FORST_URL = "http://127.0.0.1:8080" } = process.env;
const integration = new StreamingIntegration({ baseUrl: FORST_URL });

export const POST: (request: Request) => Promise<Response> = integration.handleStreamingRequest;
