/** A TCP proxy that cuts connections. */

import { createConnection, type Socket } from "node:net";
import { after } from "node:test";

import { listen } from "./support.js";

/**
 * Forward connections to a server, and reset each one after it has received some bytes.
 *
 * @param limit returns how many bytes the connection with this number receives before it is reset.
 * @param onCut is called for each connection that is reset.
 * @returns the address of the proxy.
 */
export async function cuttingProxy(
  target: string,
  limit: (number: number) => number,
  onCut: () => void = () => {},
): Promise<string> {
  const { hostname, port } = new URL(target);
  const [url, server] = await listen((client: Socket, number: number) => {
    const upstream = createConnection(Number(port), hostname);
    let left = limit(number);
    const cut = () => {
      client.resetAndDestroy();
      upstream.destroy();
    };
    upstream.on("error", cut).on("close", () => client.destroy());
    client.on("close", () => upstream.destroy());
    client.pipe(upstream);
    upstream.on("data", (data) => {
      left -= data.length;
      if (left > 0) {
        if (!client.write(data)) upstream.pause();
      } else {
        onCut();
        client.write(data.subarray(0, data.length + left), cut);
        upstream.pause();
      }
    });
    client.on("drain", () => upstream.resume());
  });
  after(() => server.close());
  return url;
}
