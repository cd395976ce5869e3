// node measure.mjs PACKAGE URL WAY RECORDS: measure one way, and print the figures as JSON.

import { monitorEventLoopDelay, performance } from "node:perf_hooks";

import { job, record } from "./records.mjs";
import { waysOf } from "./ways.mjs";

// Streams after which V8 has compiled what it will: code that runs once per record, or once per chunk.
const WARM_UP = { objects: 1, bytes: 6 };

const [location, url, name, text] = process.argv.slice(2);
const records = Number(text);
const way = waysOf(await import(location), url)[name];

for (let rounds = WARM_UP[name.split(":")[0]]; rounds > 0; rounds--) await way(records)();
const run = way(records);
await new Promise((resolve) => setTimeout(resolve, 100));
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const loop = performance.eventLoopUtilization();
const before = process.cpuUsage();
const started = performance.now();
const { count, bytes, aside = 0 } = await run();
const milliseconds = performance.now() - started - aside / 1000;
const { user, system } = process.cpuUsage(before);
const { active } = performance.eventLoopUtilization(loop);
delay.disable();
const size = JSON.stringify(job(record(0))).length + 1;
if ((count ?? bytes / size) !== records) throw new Error(`${count ?? bytes / size} results`);
console.log(
  JSON.stringify({
    rate: (records / milliseconds) * 1000,
    cpu: (user + system - aside) / records,
    loop: (active * 1000 - aside) / records,
    delay: delay.percentile(99) / 1e6,
  }),
);
process.exit();
