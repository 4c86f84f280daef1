/** Build what Python serves: the widget, the script of further panes, the script of exported pages, the style sheet, the translations. `node build.js [FOLDER/]` */

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
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

/** Modules of a bundle, by their path in src/. @param {string} entry */
const modules = async (entry) => {
  const { metafile } = await build({ entryPoints: [entry], bundle: true, write: false, metafile: true, format: "esm" });
  return Object.keys(metafile.inputs).map((path) => path.replace("src/", ""));
};

/**
 * The script of widgets, and a script of panes that comes later and takes from the first what that has.
 * @param {{ main: string, panes: string }} entries in src/ @param {{ main: string, panes: string }} files in static/
 */
const pair = async (entries, files) => {
  const first = await modules(`src/${entries.main}`);
  const shared = (await modules(`src/${entries.panes}`)).filter((name) => first.includes(name));
  const main = [
    ...shared.map((name, i) => `import * as m${i} from "./${name}";`),
    `import { share } from "./lazy.js";`,
    `share({ ${shared.map((name, i) => `"${name}": m${i}`).join(", ")} });`,
    `export { default } from "./${entries.main}";`,
  ].join("\n");

  // hosts evaluate a module anew for every widget and never let go of it: only the first one runs the code, the others find it
  const stdin = { contents: main, resolveDir: "src" };
  const code = await bundle("", { entryPoints: undefined, stdin, format: "iife", globalName: "views" });
  const key = createHash("sha256").update(code).digest("hex").slice(0, 16);
  writeFileSync(
    `${to}${files.main}`,
    `function make(){${code}return views.default}\nexport default globalThis[Symbol.for("nbtoolkit ${key}")]??=make();\n`,
  );

  /** What the first script has is taken from there. */
  const fromFirst = {
    name: "from the first script",
    setup: (/** @type {any} */ { onResolve, onLoad }) => {
      onResolve({ filter: /^\.\.?\// }, (/** @type {any} */ { path, resolveDir }) => {
        const name = relative("src", join(resolveDir, path));
        return shared.includes(name) ? { path: name, namespace: "first" } : null;
      });
      onLoad({ filter: /./, namespace: "first" }, (/** @type {any} */ { path }) => ({
        contents: `module.exports = SHARED["${path}"];`,
      }));
    },
  };
  const panes = await bundle(`src/${entries.panes}`, { format: "iife", globalName: "panes", plugins: [fromFirst] });
  writeFileSync(`${to}${files.panes}`, `export default function(SHARED){${panes}return panes}\n`);
};

await pair({ main: "main.js", panes: "panes.js" }, { main: "nbtoolkit.js", panes: "panes.js" });
await pair(
  { main: "inspector/main.js", panes: "inspector/tools.js" },
  { main: "inspector.js", panes: "inspector_tools.js" },
);
const pages = { standalone: "standalone.js", inspector_page: "inspector/page.js" };
for (const [name, entry] of Object.entries(pages)) {
  writeFileSync(`${to}${name}.js`, `${await bundle(`src/${entry}`, { format: "iife" })}\n`);
}
writeFileSync(`${to}nbtoolkit.css`, `${await bundle("src/style.css", {})}\n`);
