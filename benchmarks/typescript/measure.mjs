// node measure.mjs PACKAGE URL WAY FIRST: stream four times as many records as FIRST in one way, and
// print the figures of the first ones and of the others as JSON.

import { Meter } from "./meter.mjs";
import { waysOf } from "./ways.mjs";

const [location, url, name, first] = process.argv.slice(2);
const records = 4 * Number(first);

const meter = new Meter(Number(first));
const { ForstStreamingClient } = name.includes("package") ? await import(location) : {};
const client = ForstStreamingClient && new ForstStreamingClient(url);
const run = meter.aside(() => waysOf(client, url)[name](records));
await run(meter);
const { results, ...figures } = meter.figures();
if (results !== records) throw new Error(`${results} results of ${records} records`);
console.log(JSON.stringify(figures));
process.exit();
