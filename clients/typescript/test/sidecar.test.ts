/** A server that an application starts, and that is restarted after a crash. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { StreamingIntegration, type StreamingRecord } from "forstcore";
import { startSidecar, type LogEntry, type SidecarStatus } from "forstcore/sidecar";

import { all, failed, Queue, record, result, until } from "./support.js";

const { FORST_PYTHON: python = "python3" } = process.env;
const APP = fileURLToPath(new URL("sidecar-app.js", import.meta.url));

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("a stream goes on when the server is killed", async () => {
  const statuses: SidecarStatus["type"][] = [];
  const log: LogEntry[] = [];
  const sidecar = await startSidecar({
    python,
    onStatus: (status) => statuses.push(status.type),
    onLog: (entry) => log.push(entry),
  });
  const queue = new Queue<StreamingRecord>();
  const results = new StreamingIntegration(sidecar.client).processLargeDataset(queue);
  for (let id = 1; id <= 3; id++) {
    const before = sidecar.pid;
    const next = results.next();
    queue.put(record(id));
    assert.deepEqual((await next).value, result(id));
    process.kill(before as number, "SIGKILL");
    await until(() => sidecar.pid !== undefined && sidecar.pid !== before);
  }
  await results.return();
  await until(() => statuses.filter((type) => type === "ready").length === 4);
  assert.deepEqual(statuses.slice(0, 3), ["ready", "down", "ready"]);
  const { pid } = sidecar;
  await sidecar.stop();
  assert.ok(!lives(pid as number));
  assert.ok(log.some(({ event }) => event === "ready"));
});

test("processors, a port, and a client with a token, whatever files are beside them", async () => {
  const cwd = mkdtempSync(join(tmpdir(), "forst-"));
  writeFileSync(
    join(cwd, "price.py"),
    'from forstcore import processor\n\n\n@processor("price")\ndef price(record: dict) -> dict:\n    return {"total": record["amount"] * 2}\n',
  );
  writeFileSync(
    join(cwd, "double.py"),
    'from forstcore import processor\n\n\n@processor("double")\ndef double(record: dict) -> dict:\n    return {"twice": record["amount"] * 2}\n',
  );
  for (const name of ["server.py", "aiohttp.py"]) {
    writeFileSync(join(cwd, name), "raise SystemExit(__file__)\n");
  }
  const sidecar = await startSidecar({
    ...{ python, cwd, port: 0, processors: ["price", pathToFileURL(join(cwd, "double.py"))] },
    env: { FORSTCORE_TOKEN: "secret" },
    client: { token: "secret" },
  });
  assert.match(sidecar.baseUrl, /^http:\/\/127\.0\.0\.1:\d+$/);
  const results = sidecar.client.streamToForst<{ amount: number }, { total: number }>("/price", [
    { amount: 2 },
  ]);
  assert.deepEqual(await all(results), [{ total: 4 }]);
  assert.deepEqual(await all(sidecar.client.streamToForst("/double", [{ amount: 3 }])), [{ twice: 6 }]);
  await sidecar.stop();
});

test("a server whose module prints much starts, or says why not", async () => {
  const place = mkdtempSync(join(tmpdir(), "forst-"));
  const flood = ["stdout", "stderr"].map((name) => `sys.${name}.write(("x" * 99 + "\\n") * 50_000)\n`);
  const path = (name: string, end: string) => {
    writeFileSync(join(place, name), `import sys, forstcore\n${flood.join("").repeat(2)}${end}\n`);
    return join(place, name);
  };
  const good = path("good.py", "@forstcore.processor('same')\ndef same(record: dict):\n  return record");
  const sidecar = await startSidecar({ python, processors: good });
  await sidecar.stop();
  const bad = path("bad.py", "raise RuntimeError('the table is missing')");
  for (const args of [[], ["--log-format", "json"]]) {
    const started = startSidecar({ python, processors: bad, args });
    await assert.rejects(started, /^Error: the server did not start: .*the table is missing/);
  }
});

test("a server that cannot start says why", async () => {
  const wrong = startSidecar({ python, processors: "/nowhere.py" });
  await assert.rejects(wrong, /^Error: the server did not start: .*nowhere/);
  await assert.rejects(startSidecar({ python: "/nowhere/python" }), /the server did not start: .*ENOENT.*python/);
});

test("the server ends with its application, even if that is killed", async () => {
  const temporary = mkdtempSync(join(tmpdir(), "forst-"));
  for (const signal of ["SIGKILL", "none"] as const) {
    const app = spawn(process.execPath, [APP, signal], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TMPDIR: temporary },
    });
    const [line] = (await once(createInterface({ input: app.stdout }), "line")) as [string];
    const pid = Number(line);
    if (signal === "SIGKILL") app.kill("SIGKILL");
    await once(app, "exit");
    await until(() => !lives(pid));
    assert.deepEqual(readdirSync(temporary), []);
  }
});

test("a server that does not get ready is killed, with what it started", async () => {
  // Not Python, which may take longer than the timeout to say anything on a busy machine.
  const slow = join(mkdtempSync(join(tmpdir(), "forst-")), "slow");
  writeFileSync(slow, "#!/bin/sh\necho waiting\nsleep 60\n", { mode: 0o755 });
  const started = startSidecar({ python: slow, startTimeoutMs: 3_000 });
  await assert.rejects(started, /did not start: it was not ready after 3000 ms \(startTimeoutMs\): waiting$/);
});

test("a path that is too long for a socket", async () => {
  const { TMPDIR } = process.env;
  process.env["TMPDIR"] = `/tmp/${"x".repeat(100)}`;
  try {
    await assert.rejects(startSidecar({ python }), /a path of 15\d bytes, more than 10\d: set TMPDIR .* port/);
  } finally {
    if (TMPDIR === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = TMPDIR;
  }
});

test("streams do not wait for a server that was stopped", async () => {
  const sidecar = await startSidecar({ python });
  const queue = new Queue<StreamingRecord>();
  const open = new StreamingIntegration(sidecar.client).processLargeDataset(queue);
  queue.put(record(1));
  assert.deepEqual((await open.next()).value, result(1));
  await sidecar.stop();
  queue.put(record(2));
  const [error] = await failed(open);
  assert.match(error.message, /the sidecar was stopped/);
  const [later] = await failed(sidecar.client.streamToForst("/streaming-process", [record(1)]));
  assert.match(later.message, /the sidecar was stopped/);
});

/** Run the application with a task; call back with its identifier, and return what it prints. */
async function run(task: string, started: (pid: number) => void): Promise<string[]> {
  const app = spawn(process.execPath, [APP, task], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: app.stdout })) {
    if (lines.push(line) === 1) started(app.pid as number);
  }
  await until(() => !lives(Number(lines[0])));
  return lines.slice(1);
}

test("a server that is to be restarted does not keep its application running", async () => {
  assert.deepEqual(await run("crash", () => {}), ["ready,down"]);
});

test("the server outlives Ctrl-C until its application stops it", async () => {
  const lines = await run("SIGINT", (pid) => setTimeout(() => process.kill(-pid, "SIGINT"), 100));
  assert.deepEqual(lines, ["last,ready"]);
});
