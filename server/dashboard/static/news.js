// The news of the server: followed for ever, through lost connections.

import { linesOf, problemOf } from "./lines.js";
import { askForToken, credentials } from "./token.js";

const NEWS = new URL("../../news", import.meta.url);
const SHORTEST = 500;
const LONGEST = 10_000;
const SILENCE = 5000; // Milliseconds without a line after which the connection is given up.

/**
 * Follow the news.
 * @param {object} on
 * @param {(greeting: object) => void} on.greeting is told who speaks, and the past.
 * @param {(news: object) => void} on.news is told each second.
 * @param {(state: "live" | "lost", why: string) => void} on.state is told when that changes.
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
    watchdog = setTimeout(() => abort.abort(new Error("The server says nothing")), SILENCE);
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
