/** An application with a server beside it: prints the process of the server; then what it is told. */

import { setTimeout as sleep } from "node:timers/promises";

import { startSidecar, type SidecarStatus } from "forstcore/sidecar";

const [, , task] = process.argv;
const statuses: SidecarStatus["type"][] = [];
const sidecar = await startSidecar({
  python: process.env["FORST_PYTHON"] ?? "python3",
  onStatus: ({ type }) => statuses.push(type),
});
for await (const one of sidecar.client.streamToForst("/streaming-process", [{ id: "1" }])) {
  if (one.id !== "1") throw new Error("the server does not answer");
}
let isInterrupted = false;
if (task === "SIGINT") process.on("SIGINT", () => (isInterrupted = true));
console.log(sidecar.pid);
if (task === "SIGKILL") setInterval(() => {}, 1_000);
if (task === "crash") {
  process.on("exit", () => console.log(statuses.join()));
  process.kill(sidecar.pid as number, "SIGKILL");
  while (!statuses.includes("down")) await sleep(10);
}
if (task === "SIGINT") {
  async function* records(): AsyncGenerator<{ id: string }> {
    while (!isInterrupted) {
      yield { id: "2" };
      await sleep(10);
    }
    await sleep(300);
    yield { id: "last" };
  }
  let last = "";
  const results = sidecar.client.streamToForst("/streaming-process", records());
  for await (const { id } of results) last = id;
  await sidecar.stop();
  console.log(`${last},${statuses}`);
}
