/** The result lines of a stream as bytes. */

import type { Bytes } from "./bytes.js";
import type { Piece } from "./frames.js";
import { Leavable } from "./leavable.js";
import type { ByteStream } from "./platform.js";
import type { InvalidLineHandler } from "./results.js";
import type { Transfer } from "./transfer.js";

/** Return the result lines of a transfer as a pull stream without a buffer of its own. */
export function byteStream(transfer: Transfer, invalid: InvalidLineHandler): ByteStream {
  const batches = new Leavable(transfer.pieces(), () => transfer.leave());
  let pieces: Piece[] = [];
  const stream = new ReadableStream<Bytes>(
    {
      async pull(controller) {
        for (;;) {
          const piece = pieces.shift();
          if (!piece) {
            const { done, value } = await batches.next();
            if (done) return controller.close();
            pieces = value;
          } else if (piece.invalid && invalid !== "results") {
            if (invalid !== "nothing") invalid(piece.invalid);
          } else {
            return controller.enqueue(piece.bytes as Bytes);
          }
        }
      },
      async cancel() {
        await batches.return();
      },
    },
    { highWaterMark: 0 },
  );
  return stream as ByteStream;
}
