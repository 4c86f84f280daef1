// @ts-check
/** What is under the pointer, or has the focus: a preview that no kernel needs to hear of. */

/** @typedef {import("./types.js").Hovered} Hovered */

export class Hover {
  /** @param {(f: () => void) => void} [schedule] once per frame */
  constructor(schedule = (f) => requestAnimationFrame(f)) {
    this.schedule = schedule;
    /** @type {Hovered} */
    this.now = {};
    /** @type {Set<(now: Hovered) => void>} */
    this.listeners = new Set();
    this.pending = false;
  }

  get() {
    return this.now;
  }

  /** @param {Hovered | null} next null for nothing */
  set(next) {
    const now = next ?? {};
    if (JSON.stringify(now) === JSON.stringify(this.now)) return;
    this.now = now;
    if (this.pending) return;
    this.pending = true;
    this.schedule(() => {
      this.pending = false;
      for (const f of this.listeners) f(this.now);
    });
  }

  /** @param {(now: Hovered) => void} callback @returns {() => void} stops it */
  on(callback) {
    this.listeners.add(callback);
    return () => this.listeners.delete(callback);
  }
}
