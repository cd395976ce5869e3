/** Runs a forstcore server for a Node application, and restarts it after a crash. */

import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

import type { UrlLike } from "./address.js";
import { ForstStreamingClient } from "./client.js";
import { given } from "./given.js";
import { makeDisposable } from "./leavable.js";
import { OPTION_TYPES, type ClientOptions } from "./options.js";
import { nodeTransport } from "./node-transport.js";
import { timer, type PlatformDisposable } from "./platform.js";
import type { Transport } from "./transport.js";

/** A line of the server's log: a JSON object, or `text`. */
export type LogEntry = Record<string, unknown>;

/** A change of the server's state. */
export type SidecarStatus =
  | { type: "ready"; pid: number }
  | { type: "down"; reason: string; pauseMs: number };

/** Options for starting the server. */
export interface SidecarOptions {
  /** Modules with processors: names, or paths or `file:` URLs of files. */
  processors?: string | UrlLike | (string | UrlLike)[] | undefined;
  /** The Python interpreter in which forstcore is installed; `python3` by default. */
  python?: string | undefined;
  /** Additional options of the server, such as `["--workers", "4"]`. */
  args?: string[] | undefined;
  /** The working directory of the server. */
  cwd?: string | undefined;
  /** Additional environment variables. */
  env?: Record<string, string | undefined> | undefined;
  /** The TCP port to listen on, 0 for a free one; by default the server has a Unix socket. */
  port?: number | undefined;
  /** Options of the client. */
  client?: ClientOptions | undefined;
  /** Called with each line of the log. Without it, the log is read and dropped. */
  onLog?: ((entry: LogEntry) => void) | undefined;
  /** Called when the server is ready, and when it has crashed. */
  onStatus?: ((status: SidecarStatus) => void) | undefined;
  /** Milliseconds for a server to get ready before it is killed (60,000); 0 for no limit. */
  startTimeoutMs?: number | undefined;
  /** Milliseconds for a server to end before it is killed (15,000). */
  stopTimeoutMs?: number | undefined;
}

const TYPES: Record<string, string> = {
  args: "list",
  client: "object",
  env: "object",
  onLog: "function",
  onStatus: "function",
  port: "number",
  python: "string",
  startTimeoutMs: "number",
  stopTimeoutMs: "number",
};

const LONGEST_SOCKET_PATH = process.platform === "linux" ? 107 : 103;
const STABLE_MS = 10_000; // A server that ran for longer is restarted at once.
const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
// A stream continues across a restart of the server.
const RETRY = { attempts: 100, delay: 50, maxDelay: 1_000 };

class SidecarProcess {
  /** The address of the server, which stays the same when it is restarted. */
  baseUrl = "";
  private readonly options: SidecarOptions;
  private readonly socketPath: string | undefined;
  private port: number;
  private child: ChildProcess | undefined;
  private exited: Promise<void> = Promise.resolve();
  private failures = 0;
  private restart: NodeJS.Timeout | undefined;
  private isStopping = false;
  private lastClient: ForstStreamingClient | undefined;

  constructor(options: SidecarOptions) {
    this.options = options;
    this.port = options.port ?? 0;
    if (options.port === undefined) this.socketPath = unusedSocketPath();
    makeDisposable(this, () => this.stop());
  }

  /** A client of the server, whose streams with `resume` continue after a restart. */
  get client(): ForstStreamingClient {
    if (this.lastClient) return this.lastClient;
    const options = given(this.options.client ?? {}, OPTION_TYPES);
    const transport = this.untilStopped(options.transport ?? nodeTransport(options.tls));
    this.lastClient = new ForstStreamingClient(this.baseUrl, { retry: RETRY, ...options, transport });
    return this.lastClient;
  }

  /** The process of the server, undefined while there is none. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Start the server and wait until it is ready. */
  async start(): Promise<void> {
    const { processors = [], python = "python3", args = [], cwd, env } = this.options;
    const { startTimeoutMs = 60_000 } = this.options;
    const listen = this.socketPath
      ? ["--unix-socket", this.socketPath]
      : ["--port", `${this.port}`];
    const modules = [processors].flat().flatMap((one) => ["--processors", pathOf(one)]);
    const ours = ["--end-with-parent", "--ready-line", "json"];
    // Not `server`, because the application may have a module of that name.
    const command = ["-m", "forstcore", "serve"];
    const child = spawn(python, [...command, ...listen, ...ours, ...modules, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
      // Ctrl-C signals the process group of the application, which ends the server when it is done.
      detached: true,
    });
    this.child = child;
    // Only the first start is awaited. A later one must not keep the application running.
    if (this.baseUrl) release(child);
    const started = performance.now();
    const lastTexts = { stdout: "", stderr: "" };
    const log = (output: "stdout" | "stderr", line: string): LogEntry => {
      const entry = logEntry(line);
      const text = entry["text"] ?? entry["message"]; // Of `--log-format json`.
      if (typeof text === "string") lastTexts[output] = text;
      this.options.onLog?.(entry);
      return entry;
    };
    this.exited = new Promise((resolve) => child.once("close", () => resolve()));
    let isLate = false;
    const cancelTimeout = timer(() => {
      isLate = true;
      kill(child);
    }, startTimeoutMs);
    createInterface({ input: child.stderr as Readable }).on("line", (line) => log("stderr", line));
    const ready = new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout as Readable }).on("line", (line) => {
        const { event, address } = log("stdout", line);
        if (event === "ready" && typeof address === "string") resolve(address);
      });
      child.once("error", (cause) => {
        const message = `the server did not start: ${cause.message} (options python and cwd)`;
        reject(Object.assign(new Error(message), { cause }));
      });
      child.once("close", (code, signal) => {
        const late = isLate ? `it was not ready after ${startTimeoutMs} ms (startTimeoutMs)` : "";
        // The server says on standard error why it ends; processors may print to both.
        const lastText = lastTexts.stderr || lastTexts.stdout;
        const said = lastText || (late ? "" : `it ended with ${signal ?? `status ${code}`}`);
        const reason = [late, said].filter(Boolean).join(": ");
        reject(new Error(`the server did not start: ${reason}`));
      });
    });
    const address = await ready.finally(cancelTimeout);
    child.once("close", (code, signal) => {
      this.crashed(signal ?? `status ${code}`, performance.now() - started);
    });
    release(child);
    const path = /^unix:(.*)$/.exec(address)?.[1];
    this.baseUrl = path ? `http+unix://${encodeURIComponent(path)}/` : address;
    this.port = path ? 0 : Number(new URL(address).port);
    this.options.onStatus?.({ type: "ready", pid: child.pid as number });
  }

  /** End the server after its open streams, and wait until it has ended. */
  async stop(): Promise<void> {
    this.isStopping = true;
    clearTimeout(this.restart);
    const { child } = this;
    // Without a process identifier, it could not be started.
    if (child?.pid !== undefined) {
      child.stdin?.end();
      const id = setTimeout(() => kill(child), this.options.stopTimeoutMs ?? 15_000);
      child.ref();
      await this.exited;
      clearTimeout(id);
    }
    if (this.socketPath) removeSocket(this.socketPath);
  }

  /** Return a transport that does not let streams wait for a server that was stopped. */
  private untilStopped(transport: Transport | undefined): Transport | undefined {
    return (
      transport && {
        sendsHeadFirst: transport.sendsHeadFirst,
        isDoneAfterWrite: transport.isDoneAfterWrite ?? false,
        open: (request) => {
          if (this.isStopping) throw new Error("the sidecar was stopped");
          return transport.open(request);
        },
      }
    );
  }

  private crashed(reason: string, lived: number): void {
    this.child = undefined;
    if (this.isStopping) return;
    this.failures = lived > STABLE_MS ? 0 : this.failures + 1;
    const pauseMs = Math.min(SHORTEST_PAUSE_MS * 2 ** this.failures, LONGEST_PAUSE_MS);
    this.options.onStatus?.({ type: "down", reason, pauseMs });
    this.restart = setTimeout(() => {
      this.start().catch((error: Error) => this.crashed(error.message, 0));
    }, pauseMs).unref();
  }
}

export type Sidecar = SidecarProcess & PlatformDisposable;

/**
 * Start a server, and wait until it is ready.
 *
 * It is restarted after a crash, with growing pauses, and ends with this process, however that ends.
 */
export async function startSidecar(options: SidecarOptions = {}): Promise<Sidecar> {
  const sidecar = new SidecarProcess(given(options, TYPES));
  try {
    await sidecar.start();
  } catch (error) {
    await sidecar.stop();
    throw error;
  }
  return sidecar as Sidecar;
}

function pathOf(place: string | UrlLike): string {
  return typeof place === "string" ? place : fileURLToPath(place.href);
}

const sockets = new Set<string>();
let isRemovingSockets = false;

/**
 * Return a path for a socket. The server removes the socket, and allows only this user to connect.
 * If the server was killed, it is removed at the end of this process.
 */
function unusedSocketPath(): string {
  const path = resolve(tmpdir(), `forstcore-${randomUUID()}.sock`);
  const size = Buffer.byteLength(path);
  if (size > LONGEST_SOCKET_PATH) {
    const remedy = "set TMPDIR to a shorter path, or the option port (0 for a free one)";
    throw new Error(
      `the server's socket would have a path of ${size} bytes, more than ${LONGEST_SOCKET_PATH}: ${remedy}`,
    );
  }
  if (!isRemovingSockets) process.once("exit", () => sockets.forEach(removeSocket));
  isRemovingSockets = true;
  sockets.add(path);
  return path;
}

function removeSocket(path: string): void {
  sockets.delete(path);
  rmSync(path, { force: true });
}

/** Kill a server and its workers. */
function kill(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

/** Let this process end although the server runs, which then ends, too. */
function release(child: ChildProcess): void {
  child.unref();
  for (const pipe of [child.stdin, child.stdout, child.stderr]) {
    (pipe as { unref?(): void } | null)?.unref?.(); // In Bun, these do not keep the process alive.
  }
}

function logEntry(line: string): LogEntry {
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry === "object" && entry !== null) return entry as LogEntry;
  } catch {
    // It is text.
  }
  return { text: line };
}
