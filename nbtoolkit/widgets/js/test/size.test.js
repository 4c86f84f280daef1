import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

const MAX = { file: 250, function: 60, line: 120 };
const root = new URL("../", import.meta.url);
const list = (folder, ending) =>
  readdirSync(new URL(folder, root))
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}${name}`);
const files = [
  "build.js",
  ...list("src/", ".js"),
  ...list("src/inspector/", ".js"),
  ...list("src/style/", ".css"),
  "src/style.css",
  ...list("test/", ".js"),
];
const linesOf = (name) => readFileSync(new URL(name, root), "utf8").trimEnd().split("\n");
const ts = await import("typescript").then(
  (module) => module.default,
  () => null, // without the development tools
);

test("files are short, but for the table of translations", () => {
  assert.deepEqual(
    files.filter((name) => linesOf(name).length > MAX.file && name !== "src/chinese.js"),
    [],
  );
});

test("lines of code are short; texts and comments may be longer", () => {
  const bare = (line) => line.replace(/(["'`])(?:\\.|(?!\1).)*\1/g, '""').replace(/\/[/*].*|^\s*\*.*/, "");
  const long = files.flatMap((name) => linesOf(name).filter((line) => bare(line).length > MAX.line));
  assert.deepEqual(long, []);
});

test("functions are short", { skip: ts === null && "TypeScript is not installed" }, () => {
  const long = [];
  for (const name of files.filter((file) => file.endsWith(".js"))) {
    const source = ts.createSourceFile(name, linesOf(name).join("\n"), ts.ScriptTarget.Latest, true);
    const visit = (node) => {
      if (ts.isFunctionLike(node) && node.body) {
        const [start, end] = [node.getStart(), node.end].map((at) => source.getLineAndCharacterOfPosition(at).line);
        if (end - start + 1 > MAX.function) long.push(`${name}:${start + 1} ${end - start + 1} lines`);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  assert.deepEqual(long, []);
});
