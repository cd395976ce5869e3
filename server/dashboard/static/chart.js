// A small line chart: one or two series over the last minutes, as SVG.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 60;
const STYLES = ["first", "second"];

export class Chart {
  /**
   * @param {object} options
   * @param {string} options.title title of the chart.
   * @param {{key: string, label: string}[]} options.series members of a point, and their names.
   * @param {(value: number) => string} options.format writes a value with its unit.
   * @param {number} options.span length of the time axis in seconds.
   * @param {boolean} options.hasPercentiles whether to show those of the first series.
   */
  constructor({ title, series, format, span, hasPercentiles = false }) {
    Object.assign(this, { title, series, format, span, hasPercentiles });
    this.points = [];
    this.pointed = null; // The position of the pointer in the plot, from 0 to 1; null if it is elsewhere.
    this.element = document.createElement("figure");
    const caption = this.element.appendChild(document.createElement("figcaption"));
    caption.appendChild(span_("title", title));
    this.values = series.map((each, place) => {
      const value = caption.appendChild(span_(`value ${STYLES[place]}`));
      const text = value.appendChild(document.createTextNode("–"));
      if (each.label) value.appendChild(document.createElement("small")).textContent = ` ${each.label}`;
      return text;
    });
    this.plot = shape("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none", role: "img" });
    for (const y of [0, HEIGHT / 2, HEIGHT]) {
      this.plot.appendChild(shape("line", { x1: 0, x2: WIDTH, y1: y, y2: y }));
    }
    this.area = this.plot.appendChild(shape("path", { class: "area first" }));
    this.lines = series.map((_, place) =>
      this.plot.appendChild(shape("path", { class: STYLES[place] })));
    this.cursor = this.plot.appendChild(shape("line", { class: "cursor", y1: 0, y2: HEIGHT }));
    this.cursor.setAttribute("visibility", "hidden");
    this.element.appendChild(this.plot);
    this.plot.addEventListener("pointermove", (event) => {
      const { left, width } = this.plot.getBoundingClientRect();
      this.point(Math.min(1, Math.max(0, (event.clientX - left) / width)));
    });
    this.plot.addEventListener("pointerleave", () => this.point(null));
    const scale = this.element.appendChild(document.createElement("div"));
    scale.className = "scale";
    scale.setAttribute("aria-hidden", "true");
    scale.append(span_("", `${span / 60} min ago`), (this.top = span_("")), (this.when = span_("", "now")));
    if (hasPercentiles) {
      this.percentiles = this.element.appendChild(document.createElement("p"));
      this.percentiles.className = "percentiles";
    }
  }

  /** Draw points, oldest first; the last is now. */
  draw(points) {
    this.points = points;
    if (!points.length) return;
    const now = points.at(-1).time;
    const known = this.series.map(({ key }) => points.filter((point) => point[key] !== null));
    const highest = Math.max(0, ...this.series.flatMap(({ key }, place) =>
      known[place].map((point) => point[key])));
    const top = rounded(highest);
    const summary = [];
    this.series.forEach(({ key, label }, place) => {
      const points = known[place];
      const path = points.map((point, number) => {
        const x = WIDTH * (1 - (now - point.time) / this.span);
        const y = HEIGHT * (1 - point[key] / top);
        return `${number ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      }).join("");
      this.lines[place].setAttribute("d", path);
      if (place === 0) this.area.setAttribute("d", path && `${path}V${HEIGHT}H${firstX(path)}Z`);
      const last = points.at(-1);
      const text = last && last.time === now ? this.format(last[key]) : "–";
      summary.push(`${label || this.title} ${text === "–" ? "not known" : text}`);
    });
    this.top.textContent = `top ${this.format(top)}`;
    this.plot.setAttribute("aria-label",
      `${this.title}. Now: ${summary.join(", ")}. Highest: ${this.format(highest)}.`);
    if (this.hasPercentiles) this.showPercentiles(known[0].map((point) => point[this.series[0].key]));
    this.showValues();
  }

  /** Show the values at a position of the plot, or the current ones if it is null. */
  point(place) {
    this.pointed = place;
    this.showValues();
  }

  showValues() {
    if (!this.points.length) return;
    const now = this.points.at(-1).time;
    let shown = this.points.at(-1);
    if (this.pointed !== null) {
      const time = now - this.span * (1 - this.pointed);
      const distance = (point) => Math.abs(point.time - time);
      shown = this.points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
      const x = WIDTH * (1 - (now - shown.time) / this.span);
      this.cursor.setAttribute("x1", x);
      this.cursor.setAttribute("x2", x);
    }
    this.cursor.setAttribute("visibility", this.pointed === null ? "hidden" : "visible");
    this.when.textContent = shown.time === now ? "now" : `${Math.round(now - shown.time)} s ago`;
    this.series.forEach(({ key }, place) => {
      this.values[place].data = shown[key] === null ? "–" : this.format(shown[key]);
    });
  }

  showPercentiles(values) {
    values.sort((one, other) => one - other);
    // The percentile: the smallest value that this share of all values does not exceed.
    const share = (part) => this.format(values[Math.max(0, Math.ceil(part * values.length) - 1)]);
    this.percentiles.textContent = values.length
      ? `p50 ${share(0.5)} · p95 ${share(0.95)} · p99 ${share(0.99)}`
      : "no records in this time";
  }
}

/** Round up to 1, 2 or 5 times a power of ten, so that the scale rarely changes. */
function rounded(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

const firstX = (path) => path.slice(1, path.indexOf(" "));

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function span_(className, text = "") {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  return element;
}
