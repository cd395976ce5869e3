// Formatting numbers for display.

const STEPS = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];

/** Write a number with a unit prefix: 12300 as "12.3 k". */
export function count(value) {
  for (const [step, prefix] of STEPS) {
    if (value >= step * 0.9995) return `${significant(value / step)} ${prefix}`;
  }
  return `${significant(value)} `;
}

export const number = (value) => Math.round(value).toLocaleString("en");
/** Write a number of things: 1 as "1 line", 2 as "2 lines". */
export const many = (value, what) => `${number(value)} ${what}${value === 1 ? "" : "s"}`;
export const perSecond = (value) => `${count(value)}/s`.replace(" /", "/");
export const bytes = (value) => `${count(value)}B`;
export const bytesPerSecond = (value) => `${count(value)}B/s`;
export const percent = (value) => `${significant(value * 100)} %`;

/** Write a duration given in seconds: 0.0000012 as "1.2 µs". */
export function seconds(value) {
  if (value === 0) return "0 s";
  for (const [step, unit] of [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]]) {
    if (value >= step * 0.9995) return `${significant(value / step)} ${unit}`;
  }
  return `${significant(value / 1e-9)} ns`;
}

/** Write a duration given in seconds as microseconds: 0.0000012 as "1.2 µs". */
export const microseconds = (value) => `${significant(value * 1e6)} µs`;

/** Write an age given in seconds: 3700 as "1 h 1 min". */
export function age(value) {
  if (value < 60) return `${value} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min`;
  return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
}

/** Write a time given in ISO 8601: only the time of day if it is today. */
export function time(value) {
  const date = new Date(value);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? date.toLocaleTimeString("en-GB") : date.toLocaleString("en-GB");
}

/** Write a time given in seconds since 1970: the time of day. */
export const timeOfDay = (value) => new Date(value * 1000).toLocaleTimeString("en-GB");

function significant(value) {
  if (value >= 99.95) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
