/** Many records through a server that is killed again and again, and connections that are cut. */

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { on, once } from "node:events";
import { after, test } from "node:test";

import { cuttingProxy } from "./proxy.js";
import { listen, startServer } from "./support.js";

const COUNT = 2_000_000;
const KILLS = 10;
const CUTS = 50;

interface Progress {
  id: number;
  rss: number;
  connections: number;
}

test("2,000,000 records through ten kills and fifty cuts", async () => {
  const [url, reserved] = await listen(() => {});
  reserved.close();
  const options = ["--port", new URL(url).port];
  let server = await startServer(options);
  let cuts = 0;
  // A connection is cut after 1.9 of the 116 MB of all results.
  const proxy = await cuttingProxy(url, () => 1_900_000, () => cuts++);
  const app = fork(new URL("endurance-app.js", import.meta.url), [proxy, `${COUNT}`], {
    // By default V8's new space grows to 32 MB in Node 20 and to 64 MB in Node 24, whatever it holds.
    execArgv: ["--max-semi-space-size=8"],
  });
  after(() => app.kill("SIGKILL"));
  const exited = once(app, "exit");
  let last: Progress = { id: 0, rss: 0, connections: 0 };
  let kills = 0;
  for await (const [progress] of on(app, "message", { close: ["disconnect"] })) {
    last = progress as Progress;
    if (kills < KILLS && last.id >= ((kills + 0.5) * COUNT) / KILLS) {
      kills++;
      server.kill("SIGKILL");
      await once(server.process, "exit");
      server = await startServer(options);
    }
  }
  assert.deepEqual(await exited, [0, null]);
  const megabytes = Math.round(last.rss / 2 ** 20);
  console.log(`# ${kills} kills, ${cuts} cuts, ${last.connections} connections, ${megabytes} MB`);
  assert.deepEqual([last.id, kills], [COUNT, KILLS]);
  assert.ok(cuts >= CUTS, `${cuts} cuts`);
  assert.ok(megabytes < 150, `${megabytes} MB`);
});
