/** Options that are given, with the checks of a compiler, for callers that have none. */

import { kindOf, withArticle } from "./input.js";

/** Options, of which undefined ones count as not given: also with `exactOptionalPropertyTypes`. */
export type Optional<T> = { [K in keyof T]?: T[K] | undefined };

/**
 * Return the options that are neither undefined nor null.
 *
 * @param types what `typeof` has to return for each option, or "list"; others are not checked.
 * @param prefix precedes the names of the options in messages.
 * @throws TypeError if an option has the wrong type.
 */
export function given<T extends object>(
  options: T,
  types: Record<string, string>,
  prefix = "",
): T {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`the options must be an object, not ${kindOf(options)}`);
  }
  const pairs = Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
  for (const [name, value] of pairs) {
    const wanted = types[name] ?? typeof value;
    if (wanted === "list" ? Array.isArray(value) : typeof value === wanted) continue;
    throw new TypeError(`${prefix}${name} must be ${withArticle(wanted)}, not ${kindOf(value)}`);
  }
  return Object.fromEntries(pairs) as T;
}
