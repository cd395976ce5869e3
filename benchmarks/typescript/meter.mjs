// Measures the first results of a stream, and the others, separately.

import { monitorEventLoopDelay, performance } from "node:perf_hooks";

const now = () => {
  const { user, system } = process.cpuUsage();
  const { active } = performance.eventLoopUtilization();
  return { cpu: user + system, time: performance.now(), active };
};

const difference = (later, earlier) => ({
  cpu: later.cpu - earlier.cpu,
  time: later.time - earlier.time,
  active: later.active - earlier.active,
});

export class Meter {
  #start = now();
  #middle;
  #aside = { cpu: 0, time: 0, active: 0 };
  #delay = monitorEventLoopDelay({ resolution: 1 });
  #first;
  #seen = 0;
  #measured = 0; // Results until `#middle`.

  /** Measure from now on; the first so many results are those that include all that is done once. */
  constructor(first) {
    this.#first = first;
  }

  /** Note that there are so many more results. */
  seen(results) {
    this.#seen += results;
    if (this.#middle || this.#seen < this.#first) return;
    this.#measured = this.#seen;
    this.#middle = this.#now();
    this.#delay.enable();
  }

  /** Do something that is not part of what is measured; return its result. */
  aside(work) {
    const before = now();
    const result = work();
    const spent = difference(now(), before);
    for (const each of Object.keys(spent)) this.#aside[each] += spent[each];
    return result;
  }

  /** Return the figures per result, and how many results there were. */
  figures() {
    const start = this.#start;
    const first = difference(this.#middle, start);
    const rest = difference(this.#now(), this.#middle);
    const results = this.#seen - this.#measured;
    return {
      results: Math.round(this.#seen),
      first: first.cpu / this.#measured,
      cpu: rest.cpu / results,
      loop: (rest.active * 1000) / results,
      delay: this.#delay.percentile(99) / 1e6,
      rate: (results / rest.time) * 1000,
    };
  }

  #now() {
    return difference(now(), this.#aside);
  }
}
