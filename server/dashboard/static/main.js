// The entry point of the page: displays the live updates.

import { Chart } from "./chart.js";
import { follow } from "./news.js";
import * as format from "./format.js";
import { setUpPaste } from "./paste.js";
import { showPipelines } from "./pipelines.js";
import { fill } from "./tables.js";

const SPAN = 300;
const CHARTS = [
  { title: "Bytes", format: format.bytesPerSecond,
    series: [{ key: "bytes_in", label: "in" }, { key: "bytes_out", label: "out" }] },
  { title: "Records", format: format.perSecond,
    series: [{ key: "records", label: "in" }, { key: "results", label: "results" }] },
  { title: "Error lines", format: format.perSecond, series: [{ key: "errors", label: "" }] },
  { title: "Open streams", format: format.number, series: [{ key: "streams", label: "" }] },
  { title: "Processing time of a record", format: format.seconds, hasPercentiles: true,
    series: [{ key: "core", label: "" }] },
  { title: "Wait for the event loop", format: format.seconds, hasPercentiles: true,
    series: [{ key: "turn", label: "at most" }] },
  { title: "Unread results", format: format.bytes,
    series: [{ key: "queued", label: "memory" }, { key: "spooled", label: "spool" }] },
  { title: "CPU", format: format.percent, series: [{ key: "cpu", label: "of a core" }] },
  { title: "Memory", format: format.bytes, series: [{ key: "memory", label: "resident" }] },
].map((options) => new Chart({ ...options, span: SPAN }));

const byId = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const narrow = matchMedia("(max-width: 40rem)");
let columns = [];
let points = [];
let isPaused = false;
let drawn = 0;

byId("charts").append(...CHARTS.map((chart) => chart.element));
// On a phone nobody scrolls past nine charts. The order changes in the document, not just on screen.
const order = () => (narrow.matches
  ? byId("figures").before(byId("streams-section"))
  : byId("figures").after(byId("streams-section")));
narrow.addEventListener("change", order);
order();
const { setEndpoints, choose } = setUpPaste();
let builtIn = [];

byId("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  byId("pause").setAttribute("aria-pressed", String(isPaused));
  if (!isPaused) draw();
});

follow({
  greeting({ server, endpoints, processors, columns: names, history }) {
    columns = names;
    points = history.map(named);
    const share = server.processes > 1 ? `, one of ${server.processes}` : "";
    byId("server").textContent =
      `${server.version} · ${server.scan_path} · process ${server.process}${share}`;
    builtIn = endpoints;
    showProcessors(processors);
    draw();
  },
  news(news) {
    const point = named(news.point);
    if (points.length > 0 && point.time < points.at(-1).time) {
      // The clock of the server was set back.
      points = [];
      drawn = 0;
    }
    points.push(point);
    while (points.at(-1).time - points[0].time > SPAN) points.shift();
    if (isPaused) return;
    // A chart that moves every second counts as motion, too.
    if (!calm.matches || points.at(-1).time - drawn >= 5) draw();
    showStreams(news);
    showProcessors(news.processors);
    showPipelines(news.pipelines);
    showErrors(news.errors);
    showSources(news.sources);
  },
  state(state, text) {
    const status = byId("status");
    status.className = state;
    const isStale = state === "lost" && points.length > 0;
    document.body.classList.toggle("stale", isStale);
    const last = isStale ? `; the figures are those of ${format.timeOfDay(points.at(-1).time)}` : "";
    if (status.textContent !== text + last) status.textContent = text + last;
  },
});

function named(point) {
  return Object.fromEntries(columns.map((name, place) => [name, point[place]]));
}

function draw() {
  drawn = points.at(-1)?.time ?? 0;
  for (const chart of CHARTS) chart.draw(points);
}

function showStreams({ streams, point, draining }) {
  const open = named(point).streams;
  const more = open > streams.length ? ` The ${streams.length} busiest are shown.` : "";
  const ending = draining ? " The server is shutting down." : "";
  setText("streams-caption", open === 0
    ? `No stream is open.${ending}`
    : `${open === 1 ? "One stream is" : `${format.number(open)} streams are`} open.${more}${ending}`);
  fill(byId("streams"), streams.map((stream) => [
    { text: String(stream.number) },
    { text: stream.source ? `${stream.path} (${stream.source})` : stream.path },
    { text: stream.client },
    { text: stream.state },
    { text: stream.slow, className: stream.slow === "reader" ? "slow" : "" },
    { text: format.bytesPerSecond(stream.in), className: "number" },
    { text: format.bytesPerSecond(stream.out), className: "number" },
    { text: format.number(stream.records), className: "number" },
    { text: format.number(stream.errors), className: stream.errors ? "number bad" : "number" },
    { text: format.bytes(stream.waiting), className: "number" },
    { text: format.age(stream.age), className: "number" },
  ]));
}

function showProcessors(processors) {
  const compiled = processors.filter((each) => each.compiled).length;
  setText("processors-caption", processors.length === 0
    ? "No processor is declared; --processors names modules that declare some."
    : `Since the process started. ${format.number(compiled)} of ` +
      `${format.many(processors.length, "processor")} ${compiled === 1 ? "is" : "are"} compiled.`);
  fill(byId("processors"), processors.map((processor) => [
    { text: processor.name },
    { buttons: [{ text: "Try", label: `Try ${processor.name}`, onClick: () => choose(`/${processor.name}`) }] },
    { text: compilationOf(processor), className: processor.reason ? "prose bad" : "" },
    { text: format.number(processor.records), className: "number" },
    { text: format.number(processor.errors), className: processor.errors ? "number bad" : "number" },
    { text: format.number(processor.given_back), className: "number" },
    { text: processor.seconds === null ? "" : format.microseconds(processor.seconds), className: "number" },
  ]));
  setEndpoints([...builtIn, ...processors.map(({ name }) => `/${name}`)]);
}

function compilationOf({ compiled, kind, reason }) {
  if (compiled) return kind === "native" ? "native" : "yes";
  return reason ? `no: ${reason}` : "no, as declared";
}

function showErrors(errors) {
  const codes = Object.entries(errors).sort((one, other) => other[1] - one[1]);
  const sum = codes.reduce((total, [, lines]) => total + lines, 0);
  setText("errors-caption",
    `Since the process started: ${sum ? `${format.many(sum, "line")}.` : "none."}`);
  fill(byId("errors"), codes.map(([code, lines]) => [
    { text: code },
    { text: format.number(lines), className: "number" },
  ]));
}

function showSources(sources = []) {
  byId("sources-section").hidden = !sources.length;
  fill(byId("sources"), sources.map((source) => [
    { text: source.name },
    { text: source.kind },
    { text: source.state, className: source.state === "up" ? "" : "bad" },
    { text: format.number(source.subscribers), className: "number" },
    { text: format.number(source.missed), className: "number" },
  ]));
}

function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}
