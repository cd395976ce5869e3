/** Operations on bytes. */

/** Bytes in memory that is not shared: what web streams accept. */
export type Bytes = Uint8Array<ArrayBuffer>;

export const LF = 10;
export const COLON = 58;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function encoded(text: string): Bytes {
  return encoder.encode(text);
}

/** Decode whole characters; throw a TypeError if they are not UTF-8. */
export function decoded(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function joined(parts: readonly Uint8Array[]): Bytes {
  if (parts.length === 1) return parts[0] as Bytes;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
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

/** Return where an LF with a colon behind it is, -1 if there is none from `start` to `end`. */
export function findControl(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  if (typeof Buffer === "function" && bytes instanceof Buffer) {
    at = bytes.indexOf("\n:", start, "latin1");
    return at >= 0 && at + 1 < end ? at : -1;
  }
  for (;;) {
    at = bytes.indexOf(LF, at);
    if (at < 0 || at + 1 >= end) return -1;
    if (bytes[at + 1] === COLON) return at;
    at++;
  }
}
