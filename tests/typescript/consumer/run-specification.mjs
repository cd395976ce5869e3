// Run the examples of the specification against a server: node run-specification.mjs URL

import { config, handleRealTimeData, processLargeDataset, retried, signatures } from "./specification.js";

const [url] = process.argv.slice(2);
await processLargeDataset();

const dashboard = [];
globalThis.updateDashboard = (result) => dashboard.push(result);
const live = handleRealTimeData();
for (let id = 0; dashboard.length === 0; id++) {
  const hot = JSON.stringify({ id: `hot ${id}`, data: "x", temperature: "high" });
  const cold = JSON.stringify({ id: `cold ${id}`, data: "x", temperature: "low" });
  const published = await fetch(`${url}/sources/sensor-data`, { method: "POST", body: `${cold}\n${hot}\n` });
  if (!published.ok) throw new Error(await published.text());
  await Promise.race([live, new Promise((resolve) => setTimeout(resolve, 50))]);
}
console.log(`Dashboard: ${dashboard[0].id.split(" ")[0]} ${dashboard[0].result}`);

console.log(await retried(), config.workers);
const [results, bytes] = await signatures([{ id: "2", data: "b" }]);
for await (const result of results) console.log(result.result);
const reader = bytes.getReader();
await fetch(`${url}/sources/x`, { method: "POST", body: '{"id": "3", "data": "c"}\n' });
console.log(new TextDecoder().decode((await reader.read()).value).trim());
process.exit();
