/**
 * Takes the chunks of a response's body past the parser of node:http, which copies them.
 *
 * The parser of Node is a listener for the data of the socket. It gets the head of the response, and
 * everything from the first bytes on that are not a plain chunk, such as the last chunk with its
 * trailers. Where Node does not work in this way, it gets everything.
 */

import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";

import type { NodeReadable } from "./readable.js";

const HEAD_END = "\r\n\r\n";
// The end of one chunk and the size of the next one, or the beginning of that.
const BETWEEN = /^\r\n([0-9a-f]{1,8})\r\n/i;
const BETWEEN_CUT = /^(\r?|\r\n[0-9a-f]{0,8}\r?)$/i;
const LONGEST_BETWEEN = 12;

/** The body of the response to a request. */
export class ChunkedBody implements NodeReadable {
  private response: IncomingMessage | undefined;
  private socket: Socket | undefined; // If the body is taken from it.
  private listeners: ((data: Uint8Array) => void)[] = [];
  private parse = (_data: Buffer): void => {};
  private giveBack = (): void => {};
  private between = "\r\n"; // What has arrived of that. The first chunk follows the head.
  private left = 0; // Bytes of this chunk that are still to come.

  constructor(request: ClientRequest) {
    request.once("socket", (socket) => this.listen(socket));
  }

  /** Return the body of the response, which has just started. */
  of(response: IncomingMessage): this {
    this.response = response;
    return this;
  }

  pause(): void {
    this.response?.pause();
    this.socket?.pause();
  }

  resume(): void {
    this.response?.resume();
    this.socket?.resume();
  }

  on(event: string, listener: (...values: any[]) => void): void {
    if (event === "data") this.listeners.push(listener);
    this.response?.on(event, listener);
  }

  /** Take the place of Node's parser among the listeners of a socket. */
  private listen(socket: Socket): void {
    const [parser, ...others] = socket.listeners("data");
    const hasState = (): boolean => Boolean((socket as { parser?: unknown }).parser);
    if (!parser || !hasState() || others.length > 0) return;
    const take = (data: Buffer): void => {
      if (this.socket) this.chunks(data, this.socket);
      else this.head(data, socket);
    };
    // Once Node has removed the state of its parser, the listener must not be called.
    this.parse = (data) => {
      if (data.length > 0 && hasState()) parser.call(socket, data);
    };
    this.giveBack = () => {
      socket.on("data", parser as (data: Buffer) => void);
      socket.off("data", take);
    };
    socket.on("data", take);
    socket.off("data", parser as (data: Buffer) => void);
  }

  private head(data: Buffer, socket: Socket): void {
    const last = data.indexOf(HEAD_END) + HEAD_END.length - 1;
    let at = 0;
    // It ends with this byte only if that is what starts the response.
    if (last >= HEAD_END.length) {
      this.parse(data.subarray(0, last));
      const hasStarted = this.response !== undefined;
      at = last + 1;
      this.parse(data.subarray(last, at));
      if (!hasStarted && this.isTakeable()) {
        this.socket = socket;
        this.chunks(data.subarray(at), socket);
        return;
      }
    }
    this.giveBack();
    this.parse(data.subarray(at));
  }

  private isTakeable(): boolean {
    const { statusCode, httpVersion, headers } = this.response ?? {};
    const isChunked = headers?.["transfer-encoding"] === "chunked";
    return isChunked && statusCode === 200 && httpVersion === "1.1";
  }

  private chunks(data: Buffer, socket: Socket): void {
    let at = 0;
    while (at < data.length && !socket.destroyed) {
      if (this.left > 0) {
        const part = data.subarray(at, at + this.left);
        this.left -= part.length;
        at += part.length;
        for (const listener of this.listeners) listener(part);
        continue;
      }
      const seen = this.between.length;
      const text = this.between + data.toString("latin1", at, at + LONGEST_BETWEEN - seen);
      const size = parseInt(BETWEEN.exec(text)?.[1] ?? "0", 16);
      if (size > 0) {
        at += text.indexOf("\n", 2) + 1 - seen;
        this.left = size;
        this.between = "";
      } else if (BETWEEN_CUT.test(text)) {
        this.between = text;
        return;
      } else if (text.startsWith("\r\n")) {
        this.giveBack();
        this.parse(Buffer.from(text.slice(2, seen)));
        this.parse(data.subarray(at + Math.max(0, 2 - seen)));
        return;
      } else {
        this.response?.destroy(new Error("a chunk of the response is longer than its size"));
      }
    }
  }
}
