/** Find the texts of t`…` in a source, with {0}, {1} … for what is filled in; templates may be nested. */
export function texts(source) {
  const found = [];
  const skip = (at) => { // from after a backtick to after its end; collects what t tags
    const parts = [""];
    while (source[at] !== "`") {
      if (source[at] === "\\") { parts[parts.length - 1] += source[at + 1]; at += 2; continue; }
      if (source.startsWith("${", at)) {
        at = code(at + 2);
        parts.push("");
        continue;
      }
      parts[parts.length - 1] += source[at++];
    }
    return { end: at + 1, text: parts.reduce((s, part, i) => `${s}{${i - 1}}${part}`) };
  };
  const code = (at) => { // from after ${ to after its }
    let depth = 1;
    while (depth) {
      if (source[at] === "`") { const t = template(at); at = t; continue; }
      if (source[at] === "{") depth++;
      if (source[at] === "}") depth--;
      at++;
    }
    return at;
  };
  const template = (at) => {
    const { end, text } = skip(at + 1);
    if (source[at - 1] === "t" && !/[\w$]/.test(source[at - 2] ?? "")) found.push(text);
    return end;
  };
  for (let at = 0; at < source.length;) {
    if (source.startsWith("//", at)) at = source.indexOf("\n", at);
    else if (source.startsWith("/*", at)) at = source.indexOf("*/", at) + 2;
    else if (source[at] === "`") at = template(at);
    else at++;
  }
  return found;
}
