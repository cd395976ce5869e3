// The table of pipelines, with buttons that start, pause and stop them.

import * as format from "./format.js";
import { problemOf } from "./lines.js";
import { fill } from "./tables.js";
import { credentials } from "./token.js";

const ROOT = new URL("../../../", import.meta.url);
const RUNNING = ["running", "paused", "stopping"];

const byId = (id) => document.getElementById(id);

/** Show the pipelines of the server. */
export function showPipelines(pipelines) {
  const running = pipelines.filter(({ state }) => RUNNING.includes(state)).length;
  const caption = pipelines.length === 0
    ? "No pipeline is declared; a TOML file declares each as a table [pipelines.NAME]."
    : `Since the process started. ${format.number(running)} of ` +
      `${format.many(pipelines.length, "pipeline")} ${running === 1 ? "runs" : "run"}.`;
  if (byId("pipelines-caption").textContent !== caption) byId("pipelines-caption").textContent = caption;
  fill(byId("pipelines"), pipelines.map((pipeline) => [
    { text: pipeline.name },
    { text: pipeline.trouble ? `${pipeline.state}, ${pipeline.trouble}` : pipeline.state,
      className: pipeline.trouble ? "prose bad" : pipeline.state === "failed" ? "bad" : "" },
    { buttons: [startOrPause(pipeline), button(pipeline, "stop", ["running", "paused"])] },
    { text: format.number(pipeline.results), className: "number" },
    { text: format.perSecond(pipeline.results_per_second), className: "number" },
    { text: lag(pipeline), className: "number" },
    { text: format.number(pipeline.errors), className: pipeline.errors ? "number bad" : "number" },
    { text: lastError(pipeline), className: pipeline.last_error ? "prose bad" : "" },
  ]));
}

function startOrPause(pipeline) {
  return pipeline.state === "running"
    ? button(pipeline, "pause", ["running"])
    : button(pipeline, "start", ["paused", "stopped", "ended", "failed"]);
}

function button({ name, state }, action, states) {
  const text = action[0].toUpperCase() + action.slice(1);
  return {
    text,
    label: `${text} ${name}`,
    isDisabled: !states.includes(state),
    onClick: () => control(name, action),
  };
}

async function control(name, action) {
  const say = (text) => { byId("pipelines-status").textContent = text; };
  try {
    const url = new URL(`pipelines/${encodeURIComponent(name)}/${action}`, ROOT);
    const response = await fetch(url, { method: "POST", headers: credentials() });
    if (!response.ok) throw new Error(await problemOf(response));
    say(`${name} is ${(await response.json()).state}.`);
  } catch (error) {
    say(`Cannot ${action} ${name}: ${error.message}`);
  }
}

function lag({ lag, lag_unit: unit }) {
  if (lag === null) return "";
  return unit === "bytes" ? format.bytes(lag) : format.many(lag, "record");
}

function lastError(pipeline) {
  if (!pipeline.last_error) return "";
  return `${format.time(pipeline.last_error_time)}: ${pipeline.last_error}`;
}
