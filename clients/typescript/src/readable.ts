/** Reading a stream of Node without ever destroying it. */

/** The part of Node's `Readable` that is needed. */
export interface NodeReadable {
  read(): unknown;
  on(event: string, listener: (...values: any[]) => void): unknown;
}

/** Reads a stream of Node piece by piece. */
export class NodeReader {
  private readonly stream: NodeReadable;
  private error: Error | undefined;
  private hasEnded = false;
  private wake = (): void => {};

  constructor(stream: NodeReadable) {
    this.stream = stream;
    stream.on("readable", () => this.wake());
    stream.on("error", (error: Error) => this.fail(error));
    stream.on("end", () => {
      this.hasEnded = true;
      this.wake();
    });
    // Without an error or an end before it, the connection was lost.
    stream.on("close", () => this.fail(lostConnection()));
  }

  /** Return what has arrived, waiting for at least one byte; undefined at the end. */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.stream.read() as Uint8Array | null;
      if (chunk) return chunk;
      if (this.hasEnded) return undefined;
      if (this.error) throw this.error;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** Make `read` reject once everything that has arrived is read. */
  fail(error: Error): void {
    this.error ??= error;
    this.wake();
  }
}

/** Return the error of a connection that was closed by either side. */
export function lostConnection(): Error {
  return Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" });
}
