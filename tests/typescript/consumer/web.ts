// What needs the types of browsers.

import { ForstStreamingClient, StreamingIntegration } from "forstcore";

const integration = new StreamingIntegration();

export async function POST(request: Request): Promise<Response> {
  const response = await integration.handleStreamingRequest(request);
  const client = new ForstStreamingClient();
  const { signal, headers } = request;
  const body = client.processStreamingData("/streaming-process", request.body!, { signal, headers });
  return response.ok ? response : new Response(body);
}
