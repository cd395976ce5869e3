/*
 * Node, written well: its own http server without a framework, all complete lines of a piece at
 * once, one write for each piece, reading stopped while the reader lags behind.
 */
import { createServer } from "node:http";
import { parseArgs } from "node:util";

function resultOf(line) {
  try {
    const record = JSON.parse(line);
    const { id = "", data = "" } = record;
    const result = { id: id ?? "", result: `processed_${data ?? ""}`, status: "success" };
    return `${JSON.stringify(result)}\n`;
  } catch {
    return "";
  }
}

async function answer(request, response) {
  response.writeHead(200, { "Content-Type": "application/octet-stream" });
  response.flushHeaders();
  // A chunk may end within a character: the decoder keeps its first bytes.
  request.setEncoding("utf8");
  let tail = "";
  for await (const piece of request) {
    const end = piece.lastIndexOf("\n");
    if (end < 0) {
      tail += piece;
      continue;
    }
    let results = "";
    for (const line of (tail + piece.slice(0, end)).split("\n")) {
      results += line === "" ? "" : resultOf(line);
    }
    tail = piece.slice(end + 1);
    if (results !== "" && !response.write(results)) {
      await new Promise((resolve) => response.once("drain", resolve));
    }
  }
  response.end(tail === "" ? "" : resultOf(tail));
}

const { values } = parseArgs({ options: { port: { type: "string" } } });
const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
});
server.requestTimeout = 0;
server.listen(Number(values.port), "127.0.0.1", () => console.log("listening"));
