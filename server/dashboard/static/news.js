// Following the live updates of the server, with automatic reconnection.

import { linesOf, problemOf } from "./lines.js";
import { askForToken, credentials } from "./token.js";

const NEWS = new URL("../../news", import.meta.url);
const SHORTEST = 500;
const LONGEST = 10_000;
const SILENCE = 5000; // Milliseconds without a line after which the connection is closed.

/**
 * Follow the live updates; never returns.
 * @param {object} on
 * @param {(greeting: object) => void} on.greeting called on connection, with the server and the history.
 * @param {(news: object) => void} on.news called for each update.
 * @param {(state: "live" | "lost", why: string) => void} on.state called when the connection changes.
 */
export async function follow(on) {
  let pause = SHORTEST;
  for (;;) {
    let why = "The connection ended";
    try {
      await followOnce(on, () => { pause = SHORTEST; });
    } catch (error) {
      why = error instanceof TypeError ? "The server cannot be reached" : error.message;
    }
    on.state("lost", why);
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, LONGEST);
  }
}

async function followOnce(on, onSuccess) {
  const abort = new AbortController();
  let watchdog;
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => abort.abort(new Error("The server does not respond")), SILENCE);
  };
  try {
    alive();
    const response = await fetch(NEWS, { headers: credentials(), signal: abort.signal, cache: "no-store" });
    if (response.status === 401) {
      clearTimeout(watchdog);
      await askForToken();
      return await followOnce(on, onSuccess);
    }
    if (!response.ok) throw new Error(await problemOf(response));
    let isFirst = true;
    for await (const line of linesOf(response)) {
      alive();
      const message = JSON.parse(line);
      if (isFirst) {
        onSuccess();
        on.state("live", "Live");
        on.greeting(message);
      } else {
        on.news(message);
      }
      isFirst = false;
    }
  } finally {
    clearTimeout(watchdog);
    abort.abort();
  }
}
