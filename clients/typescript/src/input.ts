/** The types of input that can be sent, and iteration over them. */

import { builtin } from "./platform.js";

/** A web stream, for compilers whose `ReadableStream` is not iterable. */
export interface WebStream<T> {
  getReader(): {
    read(): Promise<{ done: boolean; value?: T | undefined }>;
    cancel(reason?: unknown): Promise<void>;
  };
}

/** A `Blob` or `File`. */
export interface BlobLike {
  readonly size: number;
  stream(): WebStream<Uint8Array>;
}

/** Records or chunks, one after the other. */
export type Items<T> = AsyncIterable<T> | Iterable<T> | WebStream<T>;

/** NDJSON, or a part of it. */
export type Text = string | Uint8Array | ArrayBuffer;

/**
 * What can be sent: records, which are written as JSON; or NDJSON as text or bytes, whole or in
 * chunks that may be split anywhere. Streams of Node and of the web are iterable.
 */
export type Input<T> = Items<T> | Items<Text> | Text | BlobLike;

/** Return an iterator over the items of an input. */
export function iteratorOf(input: unknown): AsyncIterator<unknown> | Iterator<unknown> {
  if (typeof input === "string" || isBytes(input)) return [input][Symbol.iterator]();
  if (typeof input === "object" && input !== null) {
    if (typeof Blob === "function" && input instanceof Blob) return iteratorOf(input.stream());
    // A stream that was already read would look like an empty one.
    if (isReadOut(input)) {
      throw new TypeError("the input is a stream that was read to its end or destroyed before");
    }
    if (Symbol.asyncIterator in input) {
      const { readableFlowing } = input as Partial<NodeJS.ReadableStream & { readableFlowing: boolean }>;
      // A stream that flows, as with a listener that counts, must not do so before it is read.
      if (readableFlowing) (input as NodeJS.ReadableStream).pause();
      // A stream of Node may fail before it is read. That must not end the process: reading fails then.
      (input as Partial<NodeJS.EventEmitter>).on?.("error", () => {});
      const iterator = (input as AsyncIterable<unknown>)[Symbol.asyncIterator]();
      return isDestroyable(input) ? destroying(iterator, input) : iterator;
    }
    if (Symbol.iterator in input) return (input as Iterable<unknown>)[Symbol.iterator]();
    if ("getReader" in input) return readerOf(input as WebStream<unknown>);
  }
  const wanted = "an iterable or a stream of records or NDJSON, or NDJSON as text or bytes";
  throw new TypeError(`the input must be ${wanted}, not ${kindOf(input)}`);
}

/** Return whether an input is one JSON document: neither items, nor text, nor bytes. */
export function isDocument(input: unknown): input is object {
  if (typeof input !== "object" || input === null || isBytes(input)) return false;
  if (typeof Blob === "function" && input instanceof Blob) return false;
  return !(Symbol.asyncIterator in input || Symbol.iterator in input || "getReader" in input);
}

export function isBytes(value: unknown): value is Uint8Array | ArrayBuffer {
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) return true;
  // In the tests of Jest, a Buffer may be of another realm.
  return ArrayBuffer.isView(value) && (value as Uint8Array)[Symbol.toStringTag] === "Uint8Array";
}

/** Return whether an object is a literal, or like one: not an instance of a class. */
export function isPlain(value: unknown): boolean {
  const prototype = Object.getPrototypeOf(value) as unknown;
  if (prototype === Object.prototype || prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null; // Of another realm.
}

/** Name the kind of a value, for error messages. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return `${value}`;
  const name = typeof value === "object" ? (value.constructor?.name ?? "object") : typeof value;
  return withArticle(name);
}

export function withArticle(name: string): string {
  return `${/^[aeio]/i.test(name) ? "an" : "a"} ${name}`;
}

function readerOf(stream: WebStream<unknown>): AsyncIterator<unknown> {
  const reader = stream.getReader();
  return {
    async next() {
      const { done, value } = await reader.read();
      return done ? { done, value: undefined } : { done: false, value };
    },
    async return() {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

interface Destroyable {
  destroy(): unknown;
}

function isDestroyable(input: object): input is Destroyable {
  return typeof (input as Partial<Destroyable>).destroy === "function";
}

/** Also destroy a stream of Node that was not read yet, which its own iterator does not. */
function destroying(
  iterator: AsyncIterator<unknown>,
  stream: Destroyable,
): AsyncIterator<unknown> {
  return {
    next: () => iterator.next(),
    async return() {
      await iterator.return?.();
      stream.destroy();
      return { done: true, value: undefined };
    },
  };
}

type Streams = Partial<typeof import("node:stream")>;

/** Return whether a stream has been read to its end; runtimes other than Node may not tell. */
function isReadOut(input: object): boolean {
  const { Readable, isErrored, isReadable } = builtin<Streams>("node:stream") ?? {};
  const stream = input as NodeJS.ReadableStream;
  const isOver = isReadable?.(stream) === false && !isErrored?.(stream);
  return isOver && (Readable?.isDisturbed?.(stream) ?? false);
}
