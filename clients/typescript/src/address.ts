/** The address of a server, with the credentials to use it. */

import { kindOf } from "./input.js";

/** A `URL`. */
export interface UrlLike {
  readonly href: string;
  toString(): string;
}

/** The URL of a server, and the token for it. */
export class ServerAddress {
  readonly token: string | undefined;
  readonly socketPath: string | undefined;
  private readonly base: string;

  /**
   * @param baseUrl `http://…` or `https://…`, with a path that precedes each endpoint; or
   *   `http+unix://` and the path of a socket, percent-encoded if a path follows
   *   (`http+unix://%2Frun%2Fforst.sock/prefix`), else as it is (`http+unix:///run/forst.sock`).
   */
  constructor(baseUrl: string | UrlLike, token?: string) {
    this.token = token;
    const given = hrefOf(baseUrl);
    let base = given;
    const unix = /^(?:http\+)?unix:\/\/([^/]*)(.*)$/.exec(given);
    if (unix) {
      const [, host = "", path = ""] = unix;
      this.socketPath = host ? decodeURIComponent(host) : path;
      base = `http://localhost${host ? path : ""}`;
    }
    const isUrl = /^https?:\/\/[^/]/.test(base);
    if (!isUrl || this.socketPath === "") {
      const schemes = "http://, https:// or http+unix://";
      const shown = JSON.stringify(withoutSecrets(given));
      throw new TypeError(`the base URL must start with ${schemes}, not ${shown}`);
    }
    const url = parsed(base);
    if (url.search || url.hash) {
      const shown = withoutSecrets(given);
      throw new TypeError(`the base URL must have neither a query nor a fragment: ${shown}`);
    }
    this.base = url.href.replace(/\/+$/, "");
  }

  /** Return the URL of an endpoint, given with or without its leading slash. */
  url(endpoint: string): string {
    if (typeof endpoint !== "string") {
      throw new TypeError(`the endpoint must be a string, not ${kindOf(endpoint)}`);
    }
    return `${this.base}/${endpoint.replace(/^\/+/, "")}`;
  }

  /** Name what an endpoint is at, for error messages: without a password. */
  describe(endpoint: string): string {
    if (this.socketPath) return `${endpoint} at the unix socket ${this.socketPath}`;
    return this.url(endpoint).replace(/^(https?:\/\/)[^/]*@/, "$1");
  }
}

function hrefOf(baseUrl: string | UrlLike): string {
  if (typeof baseUrl === "string") return baseUrl;
  const { href } = (baseUrl ?? {}) as { href?: unknown };
  if (typeof href === "string") return href;
  throw new TypeError(`the base URL must be a string or a URL, not ${kindOf(baseUrl)}`);
}

function parsed(url: string): URL {
  try {
    return new URL(url);
  } catch {
    throw new TypeError(`the base URL is not a URL: ${withoutSecrets(url)}`);
  }
}

/**
 * Return a URL for messages. It may be wrong, so a password may contain any character, or stand in
 * place of a port; and a token may be in the query.
 */
function withoutSecrets(url: string): string {
  return url
    .replace(/[?#].*$/s, (rest) => `${rest[0]}…`)
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1")
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/:[]*:)(?!\d*(?:\/|$))[^/]*/i, "$1…");
}
