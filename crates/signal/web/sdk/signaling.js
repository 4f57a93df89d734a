/**
 * The client WebSocket: JSON messages, requests matched to their answers by `id`.
 *
 * It knows nothing of rooms or media: {@link Signaling} hands every message that is not an answer
 * to its `onmessage`.
 *
 * @module
 */

/** A request that the server refused. `code` is stable; `message` says what to do next. */
export class EstradeError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {number | null} [retryAfterMs] how long to wait before asking again, where that is known
   */
  constructor(code, message, retryAfterMs = null) {
    super(message);
    this.name = "EstradeError";
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** How long a request may stay unanswered, in milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;

export class Signaling {
  #socket;
  #nextId = 1;
  /** @type {Map<number, { resolve: (message: any) => void, reject: (error: Error) => void, timer: ReturnType<typeof setTimeout> }>} */
  #pending = new Map();

  /** @type {(message: any) => void} */
  onmessage = () => {};
  /** @type {() => void} */
  onclose = () => {};

  /** @param {WebSocket} socket an open socket */
  constructor(socket) {
    this.#socket = socket;
    socket.addEventListener("message", (event) => this.#receive(event.data));
    socket.addEventListener("close", () => this.#closed());
  }

  /**
   * Opens the socket. A refusal before the upgrade is asked for again over HTTP, because a browser
   * hides a WebSocket's status from its page.
   *
   * @param {string} origin for example `https://rooms.example`
   * @param {string} token
   * @returns {Promise<Signaling>}
   */
  static async open(origin, token) {
    if (!/^[\w.-]*$/.test(token)) {
      throw new EstradeError("token_malformed", "The token is not a JWT. Ask your app for another.");
    }
    const address = new URL("/v1/connect", origin);
    const httpAddress = address.href;
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    // Not in the address: proxies write addresses to their logs.
    const socket = new WebSocket(address, ["estrade.v1", `bearer.${token}`]);
    const signaling = new Signaling(socket);
    const opened = await new Promise((resolve) => {
      socket.addEventListener("open", () => resolve(true), { once: true });
      socket.addEventListener("error", () => resolve(false), { once: true });
    });
    if (!opened) throw await refusal(httpAddress, token);
    return signaling;
  }

  /**
   * Sends a message and waits for its answer.
   *
   * @param {string} type
   * @param {Record<string, unknown>} [fields]
   * @returns {Promise<any>}
   */
  request(type, fields = {}) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#socket.readyState !== WebSocket.OPEN) {
        reject(new EstradeError("disconnected", "The connection to the server is down."));
        return;
      }
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new EstradeError("timeout", `The server did not answer "${type}" in time.`));
      }, REQUEST_TIMEOUT_MS);
      this.#pending.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ type, id, ...fields }));
    });
  }

  close() {
    this.#socket.close(1000);
  }

  /** @param {string} text */
  #receive(text) {
    const message = JSON.parse(text);
    const waiting = message.id === undefined ? undefined : this.#pending.get(message.id);
    if (waiting === undefined) {
      this.onmessage(message);
      return;
    }
    this.#pending.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.type === "error") {
      const { code, message: text, retryAfterMs } = message;
      waiting.reject(new EstradeError(code, text, retryAfterMs));
    } else {
      waiting.resolve(message);
    }
  }

  #closed() {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new EstradeError("disconnected", "The connection to the server was lost."));
    }
    this.#pending.clear();
    this.onclose();
  }
}

/**
 * Why the server refused the upgrade.
 *
 * @param {string} address
 * @param {string} token
 * @returns {Promise<EstradeError>}
 */
async function refusal(address, token) {
  try {
    const response = await fetch(address, { headers: { authorization: `Bearer ${token}` } });
    const body = await response.json();
    if (body?.error?.code) return new EstradeError(body.error.code, body.error.message);
  } catch {
    // Not reachable at all: said below.
  }
  return new EstradeError("unreachable", "The server cannot be reached.");
}
