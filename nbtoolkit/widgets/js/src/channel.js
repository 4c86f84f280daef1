// @ts-check
/** Requests to Python and their replies: every request has an id, so that a late reply finds its sender. */

export const GONE = "Kernel disconnected. Run the cell again.";
export const SILENT = "No reply from the kernel. Is it running?";
const TIMEOUT = 60_000; // milliseconds
let last = Math.floor(Math.random() * 2 ** 48); // id of the last request: every view of a widget gets all replies, in every window

/** @typedef {{ data: any, buffers: DataView[] }} Reply */
/** @typedef {{ resolve(reply: Reply): void, reject(error: Error): void, timer?: number, progress?(done: number, total: number): void }} Waiting */

export class Channel {
  /** @param {import("./types.js").Model} model */
  constructor(model) {
    this.model = model;
    /** @type {Map<number, Waiting>} */
    this.waiting = new Map();
    this.receive = this.receive.bind(this);
    model.on("msg:custom", this.receive);
  }

  /** @param {any} message @param {DataView[]} [buffers] */
  receive(message, buffers) {
    if (message?.kind === "progress") this.waiting.get(message.id)?.progress?.(message.done, message.total);
    if (message?.kind === "replies") for (const reply of message.replies) this.receive({ ...reply, kind: "reply" });
    if (message?.kind !== "reply") return;
    const sender = this.take(message.id);
    if (message.error) sender?.reject(new Error(message.error));
    else sender?.resolve({ data: message.data, buffers: buffers ?? [] });
  }

  /** The sender of a request, which waits no longer. @param {number} id */
  take(id) {
    const sender = this.waiting.get(id);
    this.waiting.delete(id);
    clearTimeout(sender?.timer);
    return sender;
  }

  /** @param {number} id @param {any} message @param {ArrayBuffer[]} [buffers] */
  send(id, message, buffers) {
    try {
      this.model.send(message, undefined, buffers);
    } catch {
      this.take(id)?.reject(new Error(GONE));
    }
  }

  /**
   * Request something that is answered at once.
   * @param {string} op @param {Record<string, any>} args
   * @returns {Promise<Reply>}
   */
  request(op, args) {
    return new Promise((resolve, reject) => {
      const id = ++last;
      const timer = window.setTimeout(() => this.waiting.delete(id) && reject(new Error(SILENT)), TIMEOUT);
      this.waiting.set(id, { resolve, reject, timer });
      this.send(id, { kind: "request", id, op, args });
    });
  }

  /**
   * Run a live operation, which may take long. Bytes of the result are its `bytes`.
   * @param {string} op @param {Record<string, any>} args
   * @param {(done: number, total: number) => void} [progress] @param {ArrayBuffer[]} [buffers]
   * @returns {import("./types.js").Job}
   */
  job(op, args, progress, buffers) {
    const { result, cancel } = this.work(op, args, progress, buffers);
    const whole = result.then(({ data, buffers: [first] }) => (first ? { ...data, bytes: pixels(first) } : data));
    return { result: whole, cancel };
  }

  /**
   * Run a live operation; its result is the whole reply.
   * @param {string} op @param {Record<string, any>} args
   * @param {(done: number, total: number) => void} [progress] @param {ArrayBuffer[]} [buffers]
   * @returns {{ result: Promise<Reply>, cancel(): void }}
   */
  work(op, args, progress, buffers) {
    const id = ++last;
    /** @type {Promise<Reply>} */
    const result = new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, progress });
      this.send(id, { kind: "request", id, op, args }, buffers);
    });
    return { result, cancel: () => this.send(id, { kind: "cancel", id }) };
  }

  /** What waits is told that no reply comes. @param {string} text */
  fail(text) {
    for (const id of [...this.waiting.keys()]) this.take(id)?.reject(new Error(text));
  }

  close() {
    this.model.off("msg:custom", this.receive);
    for (const { timer } of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
  }
}

/** @param {DataView} raw */
const pixels = (raw) => new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
