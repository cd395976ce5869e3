/** Records as JSON lines, and chunks of NDJSON; errors name the item. */

import { copied, encoded, joined, type Bytes } from "./bytes.js";
import { flatSize, linesOf } from "./flat-records.js";
import { isBytes, isPlain, kindOf } from "./input.js";

const FEW = 8; // Fewer flat records are not worth a part of their own.
const LARGEST_FLAT = 1 << 14; // Larger records take no less time when they are written together.

/** Builds chunks from the items of one input. */
export class Encoder {
  /** Bytes, or about as many characters, that `take` would return. */
  size = 0;
  /** What the items are. */
  kind: "records" | "NDJSON" | undefined;
  private readonly parts: Uint8Array[] = [];
  private text = "";
  private flat: object[] = []; // Copies of records after the text, not written yet.
  private count = 0;
  private readonly limit: number;
  private half = ""; // Half of a character that is split between two chunks of text.

  /** @param limit the size from which on the next item follows only when these are not needed. */
  constructor(limit: number = Infinity) {
    this.limit = limit;
  }

  add(item: unknown): void {
    this.count++;
    const inBytes = isBytes(item);
    const kind = inBytes || typeof item === "string" ? "NDJSON" : "records";
    this.kind ??= kind;
    if (kind !== this.kind) {
      const found = `${kindOf(item)} (item ${this.count})`;
      throw new TypeError(`${this.kind} cannot be followed by ${found}`);
    }
    if (inBytes) {
      this.finish();
      this.flush();
      // A copy, because the producer may reuse its buffer for the next item.
      const isLast = this.size + item.byteLength >= this.limit;
      const part = isLast && item instanceof Uint8Array ? item : copied(item);
      this.parts.push(part);
      this.size += part.length;
      return;
    }
    if (typeof item === "string") return this.addText(this.chunk(item));
    const size = flatSize(item);
    if (size === 0 || size > LARGEST_FLAT) return this.addText(this.record(item));
    // A copy, because the producer may reuse or change the object.
    this.flat.push({ ...(item as object) });
    this.size += size;
  }

  /** Throw a TypeError if the text ends within a character. */
  finish(): void {
    if (this.half) throw new TypeError(`item ${this.count}: half a character (lone surrogate)`);
  }

  /** Return what was added since the last call. */
  take(): Bytes {
    this.flush();
    this.size = 0;
    return joined(this.parts.splice(0));
  }

  private addText(text: string): void {
    this.flushFlat();
    this.text += text;
    this.size += text.length;
  }

  private flush(): void {
    this.flushFlat();
    this.flushText();
  }

  private flushText(): void {
    if (!this.text) return;
    this.parts.push(encoded(this.text));
    this.text = "";
  }

  /** Write the flat records. */
  private flushFlat(): void {
    const { flat } = this;
    if (flat.length === 0) return;
    this.flat = [];
    if (flat.length < FEW) {
      for (const record of flat) this.text += `${JSON.stringify(record)}\n`;
      return;
    }
    this.flushText();
    this.parts.push(linesOf(flat));
  }

  private chunk(item: string): string {
    let text = this.half + item;
    this.half = /[\ud800-\udbff]$/.exec(text.slice(-1))?.[0] ?? "";
    if (this.half) text = text.slice(0, -1);
    if (!isWellFormed(text)) {
      throw new TypeError(`item ${this.count}: half a character (lone surrogate)`);
    }
    return text;
  }

  private record(item: unknown): string {
    let line: string | undefined;
    try {
      line = JSON.stringify(item);
    } catch (error) {
      const wrong = new TypeError(
        `record ${this.count} cannot be written as JSON: ${(error as Error).message}`,
      );
      throw Object.assign(wrong, { cause: error });
    }
    let wrong: string | undefined;
    if (line?.[0] !== "{" && typeof (item as { toJSON?: unknown } | null)?.toJSON === "function") {
      wrong = `is ${kindOf(item)} whose toJSON() does not return an object`;
    } else if (line?.[0] !== "{") wrong = `is ${kindOf(item)}, not an object`;
    else if (line === "{}" && !isPlain(item)) wrong = `is ${kindOf(item)}, empty as JSON`;
    else if (ArrayBuffer.isView(item)) wrong = `is ${kindOf(item)}, neither an object nor NDJSON`;
    else if (WITHOUT_JSON.some((text) => (line as string).includes(text))) {
      wrong = notInJson(item, "");
    }
    if (wrong) throw new TypeError(`record ${this.count} ${wrong}`);
    return `${line}\n`;
  }
}

/** Return one record or document as JSON. */
export function encodedRecord(record: object): Bytes {
  const encoder = new Encoder();
  encoder.add(record);
  return encoder.take();
}

const LONE_SURROGATE = /\p{Surrogate}/u;

function isWellFormed(text: string): boolean {
  return (text as { isWellFormed?(): boolean }).isWellFormed?.() ?? !LONE_SURROGATE.test(text);
}

// In what JSON.stringify writes for values that JSON cannot express, `{"0":` for a Float32Array.
const WITHOUT_JSON = ["null", "{}", '{"0":'];

/** Find a value that JSON cannot express although `JSON.stringify` writes it, and say where it is. */
function notInJson(value: unknown, path: string): string | undefined {
  if (typeof value === "number") {
    return Number.isFinite(value) ? undefined : `has ${value} at ${path}, which JSON cannot express`;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const isInvalidDate = value instanceof Date && Number.isNaN(value.getTime());
  if (isInvalidDate) return `has an invalid Date at ${path}, which JSON cannot express`;
  if ("toJSON" in value) return undefined;
  if (ArrayBuffer.isView(value)) {
    return `has ${kindOf(value)} at ${path}, which JSON cannot express: use Array.from()`;
  }
  const members = Object.entries(value);
  if (members.length === 0 && !isPlain(value) && JSON.stringify(value) === "{}") {
    return `has ${kindOf(value)} at ${path}, which JSON cannot express`;
  }
  for (const [name, inner] of members) {
    const place = path ? `${path}.${name}` : name;
    if (Array.isArray(value) && ["undefined", "function", "symbol"].includes(typeof inner)) {
      return `has ${kindOf(inner)} at ${place}, which JSON cannot express`;
    }
    const found = notInJson(inner, place);
    if (found) return found;
  }
  return undefined;
}
