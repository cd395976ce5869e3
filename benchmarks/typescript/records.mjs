// The records, their results, and the job that other ways do in JavaScript.

const DATA = "x".repeat(83);

export function record(number) {
  return { id: `${1_000_000 + number}`, data: DATA };
}

export function job({ id = "", data = "" }) {
  if (typeof id !== "string" || typeof data !== "string") throw new TypeError("not a record");
  return { id, result: `processed_${data}`, status: "success" };
}

/** Bytes of a result with its LF. */
export const RESULT_SIZE = JSON.stringify(job(record(0))).length + 1;

export function* records(count) {
  for (let number = 0; number < count; number++) yield record(number);
}

/** Return NDJSON in chunks of 64 KiB that are cut anywhere; the records repeat, to need less memory. */
export function chunks(count) {
  const lines = Array.from(records(50_000), (one) => `${JSON.stringify(one)}\n`);
  const whole = Buffer.from(lines.join(""));
  const size = whole.length / lines.length;
  return function* () {
    for (let left = count * size; left > 0; left -= whole.length) {
      const end = Math.min(left, whole.length);
      for (let at = 0; at < end; at += 1 << 16) yield whole.subarray(at, Math.min(at + (1 << 16), end));
    }
  };
}

/** Return a function that turns chunks of records into chunks of results. */
export function processor() {
  const decoder = new TextDecoder();
  let tail = "";
  return (chunk) => {
    const lines = (tail + decoder.decode(chunk, { stream: true })).split("\n");
    tail = lines.pop();
    let text = "";
    for (const line of lines) text += `${JSON.stringify(job(JSON.parse(line)))}\n`;
    return Buffer.from(text);
  };
}
