/** Build what Python serves: the widget, the script of further panes, the script of exported pages, the style sheet, the translations. `node build.js [FOLDER/]` */

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { build } from "esbuild";
import { CHINESE } from "./src/chinese.js";
import { shortKey } from "./src/words.js";

const to = process.argv[2] ?? new URL("../static/", import.meta.url).pathname;

/** The table of translations, a file of its own that pages in Chinese read: short keys in place of the texts. */
const table = Object.fromEntries(Object.entries(CHINESE).map(([text, words]) => [shortKey(text), words]));
if (Object.keys(table).length !== Object.keys(CHINESE).length) throw new Error("two texts have one short key");
writeFileSync(`${to}chinese.json`, `${JSON.stringify(table)}\n`);

const bundle = async (/** @type {string} */ from, /** @type {object} */ options) =>
  (await build({ entryPoints: [from], bundle: true, minify: true, write: false, ...options })).outputFiles[0].text
    .trim()
    // hosts keep the script of every view: as ASCII it takes half the memory (esbuild leaves templates as they are)
    .replace(/[^\x00-\x7f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Modules of a bundle, as file names. @param {string} entry */
const modules = async (entry) => {
  const { metafile } = await build({ entryPoints: [entry], bundle: true, write: false, metafile: true, format: "esm" });
  return Object.keys(metafile.inputs).map((path) => path.replace("src/", ""));
};
const first = await modules("src/main.js");
const shared = (await modules("src/panes.js")).filter((name) => first.includes(name));
const main = [
  ...shared.map((name, i) => `import * as m${i} from "./${name}";`),
  `import { share } from "./lazy.js";`,
  `share({ ${shared.map((name, i) => `"${name}": m${i}`).join(", ")} });`,
  `export { default } from "./main.js";`,
].join("\n");

// hosts evaluate a module anew for every widget and never let go of it: only the first one runs the code, the others find it
const stdin = { contents: main, resolveDir: "src" };
const code = await bundle("", { entryPoints: undefined, stdin, format: "iife", globalName: "views" });
const key = createHash("sha256").update(code).digest("hex").slice(0, 16);
writeFileSync(
  `${to}nbtoolkit.js`,
  `function make(){${code}return views.default}\nexport default globalThis[Symbol.for("nbtoolkit ${key}")]??=make();\n`,
);

/** What the first script has is taken from there. */
const fromFirst = {
  name: "from the first script",
  setup: (/** @type {any} */ { onResolve, onLoad }) => {
    onResolve({ filter: /^\.\// }, (/** @type {any} */ { path }) =>
      shared.includes(path.slice(2)) ? { path: path.slice(2), namespace: "first" } : null,
    );
    onLoad({ filter: /./, namespace: "first" }, (/** @type {any} */ { path }) => ({
      contents: `module.exports = SHARED["${path}"];`,
    }));
  },
};
const panes = await bundle("src/panes.js", { format: "iife", globalName: "panes", plugins: [fromFirst] });
writeFileSync(`${to}panes.js`, `export default function(SHARED){${panes}return panes}\n`);
writeFileSync(`${to}standalone.js`, `${await bundle("src/standalone.js", { format: "iife" })}\n`);
writeFileSync(`${to}nbtoolkit.css`, `${await bundle("src/style.css", {})}\n`);
