/** The address of a server, with the credentials to use it. */

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
  constructor(baseUrl: string, token?: string) {
    this.token = token;
    let base = baseUrl;
    const unix = /^(?:http\+)?unix:\/\/([^/]*)(.*)$/.exec(baseUrl);
    if (unix) {
      const [, host = "", path = ""] = unix;
      this.socketPath = host ? decodeURIComponent(host) : path;
      base = `http://localhost${host ? path : ""}`;
    }
    const isUrl = /^https?:\/\/[^/]/.test(base);
    if (!isUrl || this.socketPath === "") {
      const schemes = "http://, https:// or http+unix://";
      throw new TypeError(`the base URL must start with ${schemes}, not ${JSON.stringify(baseUrl)}`);
    }
    this.base = new URL(base).href.replace(/\/+$/, "");
  }

  /** Return the URL of an endpoint, given with or without its leading slash. */
  url(endpoint: string): string {
    return `${this.base}/${endpoint.replace(/^\/+/, "")}`;
  }

  /** Name what an endpoint is at, for error messages. */
  describe(endpoint: string): string {
    return this.socketPath ? `${endpoint} at the unix socket ${this.socketPath}` : this.url(endpoint);
  }
}
