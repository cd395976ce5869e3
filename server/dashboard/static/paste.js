// The form for trying out the server: streams pasted records through a regular endpoint.

import { many } from "./format.js";
import { linesOf, problemOf } from "./lines.js";
import { credentials } from "./token.js";

const ROOT = new URL("../../../", import.meta.url);
const MOST = 1000; // Maximum number of lines shown; the others are only counted.
const AROUND = 40; // Number of characters shown on either side of an error.
const SAMPLE = `{"id":"1","data":"hello"}
{"id":"2","data":"never mind"}
{"id":3,"data":"an id is a string"}
{"id":"4","data":"again"}
`;

const byId = (id) => document.getElementById(id);

/**
 * Set up the form.
 * @returns {{setEndpoints: (paths: string[]) => void, choose: (path: string) => void}} functions that
 *   set the selectable endpoints, and that choose one and go to the records.
 */
export function setUpPaste() {
  const records = byId("records");
  records.value = SAMPLE;
  let abort = null;
  byId("paste").addEventListener("submit", async (event) => {
    event.preventDefault();
    abort?.abort();
    const mine = abort = new AbortController();
    byId("stop").disabled = false;
    try {
      await send(records.value, byId("endpoint").value, mine.signal);
    } catch (error) {
      if (abort === mine) say(mine.signal.aborted ? "Stopped" : `Failed: ${error.message}`);
    }
    if (abort === mine) {
      abort = null;
      byId("stop").disabled = true;
    }
  });
  byId("stop").addEventListener("click", () => abort?.abort());
  const endpoint = byId("endpoint");
  return {
    setEndpoints(paths) {
      const chosen = endpoint.value;
      if ([...endpoint.options].map(({ value }) => value).join() === paths.join()) return;
      endpoint.replaceChildren(...paths.map((path) => new Option(path)));
      if (paths.includes(chosen)) endpoint.value = chosen;
    },
    choose(path) {
      endpoint.value = path;
      byId("try").scrollIntoView();
      records.focus();
    },
  };
}

async function send(text, endpoint, signal) {
  const list = byId("results");
  list.replaceChildren();
  say("Sending");
  const lines = text.split("\n");
  let shown = 0;
  let left = 0;
  let end = null;
  let places = new Set(); // positions of error lines after the last `:rejected`
  let passed = 0; // number of lines since then
  const show = (item) => {
    if (shown < MOST) {
      list.append(item());
      shown += 1;
    } else {
      left += 1;
    }
  };
  const response = await fetch(new URL(endpoint.slice(1), ROOT), {
    method: "POST",
    headers: { ...credentials(), "Forst-Frames": "1", "Forst-On-Error": "emit" },
    body: text,
    signal,
  });
  if (!response.ok) throw new Error(await problemOf(response));
  for await (const line of linesOf(response)) {
    if (line.startsWith(":end ")) end = JSON.parse(line.slice(5));
    else if (line.startsWith(":error ")) throw new Error(JSON.parse(line.slice(7)).detail);
    else if (line.startsWith(":rejected ")) {
      places = new Set(line.slice(10).split(" ").map(Number));
      passed = 0;
    } else if (!line.startsWith(":")) {
      passed += 1;
      const isError = places.has(passed);
      show(() => (isError ? errorItem(JSON.parse(line), lines) : element("li", line)));
    }
  }
  if (end === null) throw new Error("the stream was cut");
  const more = left ? `; ${many(left, "more line")} ${left === 1 ? "is" : "are"} not shown` : "";
  say(`${many(end.results, "result")}, ${many(end.errors, "error")}${more}`);
}

/** Show an error with the surrounding text of the input. */
function errorItem({ line, offset, code, message }, lines) {
  const input = lines[line - 1] ?? "";
  const at = characterAt(input, offset);
  const from = Math.max(0, at - AROUND);
  const marked = [...input.slice(at)][0] ?? " ";
  const item = element("li");
  item.className = "error";
  item.append(element("strong", `Line ${line}, byte ${offset}: `), `${message} (${code})`);
  const excerpt = item.appendChild(element("code", (from ? "…" : "") + input.slice(from, at)));
  const rest = input.slice(at + marked.length, at + AROUND);
  excerpt.append(element("mark", marked), rest, at + AROUND < input.length ? "…" : "");
  const button = item.appendChild(element("button", "Show in the input"));
  button.type = "button";
  button.setAttribute("aria-label", `Show line ${line} in the input`);
  button.addEventListener("click", () => select(lines, line, at, marked.length));
  return item;
}

function select(lines, line, at, length) {
  const records = byId("records");
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, at);
  records.focus();
  records.setSelectionRange(start, Math.max(start + length, start + 1));
  const height = parseFloat(getComputedStyle(records).lineHeight);
  records.scrollTop = Math.max(0, (line - 2) * height);
}

/** Convert a byte offset in a line's UTF-8 to a character index. */
function characterAt(line, offset) {
  let bytes = 0;
  let place = 0;
  for (const character of line) {
    const code = character.codePointAt(0);
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes > offset) break;
    place += character.length;
  }
  return place;
}

function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function say(text) {
  byId("paste-status").textContent = text;
}
