/** An application with a server beside it: prints the process of the server; runs on if it is told. */

import { startSidecar } from "forstcore/sidecar";

const sidecar = await startSidecar({ python: process.env["FORST_PYTHON"] ?? "python3" });
for await (const one of sidecar.client.streamToForst("/streaming-process", [{ id: "1" }])) {
  if (one.id !== "1") throw new Error("the server does not answer");
}
console.log(sidecar.pid);
if (process.argv[2] === "SIGKILL") setInterval(() => {}, 1_000);
