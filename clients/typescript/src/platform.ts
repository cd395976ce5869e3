/** Types and modules of the platform; the types depend on the compiler's libraries. */

type Instance<Name extends string> = typeof globalThis extends {
  [K in Name]: { prototype: infer T };
}
  ? T
  : unknown;

/** The platform's `AbortSignal`, if lib DOM or the types of Node declare it. */
export type PlatformSignal = Instance<"AbortSignal">;

/** The platform's `Request`. */
export type PlatformRequest = Instance<"Request">;

/** The platform's `Response`. */
export type PlatformResponse = Instance<"Response">;

/** The platform's `ReadableStream`, which can be iterated over. */
export type ByteStream = Instance<"ReadableStream"> & AsyncIterable<Uint8Array>;

/** The part of `AsyncDisposable` that exists only where the compiler knows it. */
export type PlatformDisposable = typeof Symbol extends { asyncDispose: infer S extends symbol }
  ? { [K in S]: () => Promise<void> }
  : unknown;

/** Return a module of Node, undefined in a runtime that has none. */
export function builtin<T>(name: string): T | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: string): unknown };
  };
  return process?.getBuiltinModule?.(name) as T | undefined;
}

// Tests replace timers by some that stand still. A stream must not stop with them.
const immediately: (call: () => void) => unknown =
  typeof setImmediate === "function" ? setImmediate : setTimeout;

/** Wait for one iteration of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void immediately(resolve));
}

const LONGEST_TIMER = 2 ** 31 - 1; // Timers fire at once if the time is longer.

/** Call back after a time, unless it is 0 or longer than timers can wait. */
export function timer(call: () => void, ms: number): () => void {
  if (!(ms > 0) || ms > LONGEST_TIMER) return () => {};
  const id = setTimeout(call, ms);
  // A process runs for what has the time limit, not for the limit.
  (id as { unref?(): void }).unref?.();
  return () => clearTimeout(id);
}

const followers = new WeakMap<AbortSignal, { calls: Set<() => void>; abort: () => void }>();

/**
 * Call back when a signal is aborted; return how to stop that. All streams of a signal share one
 * listener, because Node takes more than ten for a leak.
 */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  let found = followers.get(signal);
  if (!found) {
    const calls = new Set<() => void>();
    found = { calls, abort: () => [...calls].forEach((each) => each()) };
    followers.set(signal, found);
    signal.addEventListener("abort", found.abort);
  }
  const { calls, abort } = found;
  calls.add(call);
  return () => {
    if (!calls.delete(call) || calls.size > 0) return;
    signal.removeEventListener("abort", abort);
    followers.delete(signal);
  };
}

/** Wait for some time, or until a signal. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(id);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const id = setTimeout(end, Math.min(ms, LONGEST_TIMER));
    signal.addEventListener("abort", end);
  });
}
