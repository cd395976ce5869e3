// Reading the lines of a response as they arrive.

/**
 * Yield the lines of a body, without LF.
 * @param {Response} response
 */
export async function* linesOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let tail = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const lines = (tail + value).split("\n");
      tail = lines.pop();
      yield* lines;
    }
    if (tail) yield tail;
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Read the error message of a response that is not a stream. */
export async function problemOf(response) {
  try {
    return (await response.json()).detail;
  } catch {
    return `${response.status} ${response.statusText}`;
  }
}
