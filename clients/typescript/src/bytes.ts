/** Operations on bytes. */

import { builtin } from "./platform.js";

/** Bytes in memory that is not shared: what web streams accept. */
export type Bytes = Uint8Array<ArrayBuffer>;

export const LF = 10;
export const COMMA = 44;
export const COLON = 58;

const hasBuffer = typeof Buffer === "function"; // Its methods take a fifth of the time.

interface Decoders {
  TextDecoder: typeof TextDecoder;
}

const encoder = hasBuffer ? undefined : new TextEncoder();
const decoder = utf8Decoder({ fatal: true, ignoreBOM: true });

/** Return a decoder; Jest's jsdom has no `TextDecoder` of its own. */
export function utf8Decoder(
  options: { fatal?: boolean; ignoreBOM?: boolean } = {},
): InstanceType<Decoders["TextDecoder"]> {
  const Decoder =
    (globalThis as Partial<Decoders>).TextDecoder ?? builtin<Decoders>("node:util")?.TextDecoder;
  if (!Decoder) throw new TypeError("this runtime has no TextDecoder");
  return new Decoder("utf-8", options);
}

export function encoded(text: string): Bytes {
  return encoder ? encoder.encode(text) : Buffer.from(text);
}

export function copied(bytes: Uint8Array | ArrayBuffer): Bytes {
  const view = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes;
  return hasBuffer ? Buffer.from(view) : new Uint8Array(view);
}

/** Decode whole characters; throw a TypeError if they are not UTF-8. */
export function decoded(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Return memory of its own, with any content. */
export function allocated(size: number): Bytes {
  return hasBuffer ? Buffer.allocUnsafeSlow(size) : new Uint8Array(size);
}

/**
 * Return bytes whose memory the caller may pass on to a worker thread: a copy, unless they are more
 * than half of their memory, which can be true of one of the parts of received data.
 */
export function owned(bytes: Uint8Array): Uint8Array {
  if (bytes.length * 2 > bytes.buffer.byteLength) return bytes;
  const copy = allocated(bytes.length);
  copy.set(bytes);
  return copy;
}

export function joined(parts: readonly Uint8Array[]): Bytes {
  if (parts.length === 1) return parts[0] as Bytes;
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = allocated(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) count++;
  return count;
}

const CONTROL_START = encoded("\n:");

/** Return where an LF with a colon behind it is, -1 if there is none from `start` to `end`. */
export function findControl(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  if (hasBuffer && bytes instanceof Buffer) {
    at = bytes.indexOf(CONTROL_START, start);
    return at >= 0 && at + 1 < end ? at : -1;
  }
  for (;;) {
    at = bytes.indexOf(LF, at);
    if (at < 0 || at + 1 >= end) return -1;
    if (bytes[at + 1] === COLON) return at;
    at++;
  }
}
