// @ts-check
/** The address of a page's state: `#layer=4&concept=5`. What it holds is data from anywhere: a value that breaks its rule is ignored. */

/**
 * @typedef {{ kind: string, values?: any[], min?: number, max?: number, none?: boolean }} Rule of one trait (page_state.py)
 * @typedef {Record<string, Rule>} Rules
 */

const PAUSE = 1000; // milliseconds: changes that follow sooner share one entry of the browser's history

/** @param {number} value @param {Rule} rule */
const inside = (value, { min = -Infinity, max = Infinity }) =>
  Number.isFinite(value) && value >= min && value <= max ? value : undefined;

/** @type {Record<string, (text: string, rule: Rule) => any>} undefined where the text breaks the rule */
const READ = {
  choice: (text, { values = [] }) => values.find((value) => String(value) === text),
  bool: (text) => ({ true: true, false: false })[text],
  int: (text, rule) => (/^-?\d{1,9}$/.test(text) ? inside(Number(text), rule) : undefined),
  float: (text, rule) => (/^-?\d{1,9}(\.\d{1,9})?$/.test(text) ? inside(Number(text), rule) : undefined),
  text: (text, { max = 0 }) => (text.length <= max ? text : undefined),
};

/**
 * The values of an address, those that its rules allow.
 * @param {string} hash @param {Rules} rules @returns {Record<string, any>}
 */
export function readAddress(hash, rules) {
  /** @type {Record<string, any>} */
  const out = {};
  for (const [name, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const rule = Object.hasOwn(rules, name) && !Object.hasOwn(out, name) ? rules[name] : null;
    const value = rule && (text === "" && rule.none ? null : READ[rule.kind]?.(text, rule));
    if (rule && value !== undefined) out[name] = value;
  }
  return out;
}

const TOGETHER = ["layer", "concept"]; // a concept is a row of its layer

/**
 * The address of a state: what differs from the page's own.
 * @param {(name: string) => any} get @param {Record<string, any>} start @param {Rules} rules
 */
export function writeAddress(get, start, rules) {
  const differs = (/** @type {string} */ name) => name in rules && get(name) !== start[name];
  const pair = TOGETHER.some(differs) ? TOGETHER.filter((name) => name in rules) : [];
  const changed = [...pair, ...Object.keys(rules).filter((name) => differs(name) && !pair.includes(name))];
  return new URLSearchParams(changed.map((name) => [name, String(get(name) ?? "")])).toString();
}

/**
 * Begin with the state of the address, follow it, and write it as the state changes.
 * @param {import("./types.js").Model} model @param {Rules} rules
 */
export function followAddress(model, rules) {
  const names = Object.keys(rules);
  const start = Object.fromEntries(names.map((name) => [name, model.get(name)]));
  let [pending, last] = [false, 0];
  const read = () => {
    const state = { ...start, ...readAddress(location.hash, rules) };
    // twice: a view may select another concept as the layer changes
    for (const name of [...names, ...names]) model.set(name, state[name]);
  };
  const write = () => {
    pending = false;
    const address = writeAddress((name) => model.get(name), start, rules);
    if (address === writeAddress((name) => ({ ...start, ...readAddress(location.hash, rules) })[name], start, rules))
      return;
    const url = `${location.href.split("#")[0]}${address && `#${address}`}`;
    const now = Date.now();
    try {
      if (now - last < PAUSE) history.replaceState(null, "", url);
      else history.pushState(null, "", url);
    } catch {
      return; // a sandboxed frame has no address
    }
    last = now;
  };
  read();
  window.addEventListener("popstate", read);
  for (const name of names) {
    model.on(`change:${name}`, () => {
      if (!pending) setTimeout(write);
      pending = true;
    });
  }
}
