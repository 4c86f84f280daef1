/** Find the texts of t`…` in a source, with {0}, {1} … for what is filled in; templates may be nested. */
export function texts(source) {
  const scanner = new Scanner(source);
  scanner.code(0, () => false);
  return scanner.found;
}

class Scanner {
  constructor(source) {
    this.source = source;
    this.found = [];
  }

  /** Read code from a place on until `end` holds; gives the place after it. */
  code(at, end) {
    const { source } = this;
    let depth = 1;
    while (at < source.length) {
      if (source.startsWith("//", at)) at = source.indexOf("\n", at);
      else if (source.startsWith("/*", at)) at = source.indexOf("*/", at) + 2;
      else if (source[at] === "`") at = this.template(at);
      else if (source[at] === '"' || source[at] === "'") at = this.string(at);
      else {
        if (source[at] === "{") depth++;
        if (source[at] === "}") depth--;
        at++;
        if (end(depth)) return at;
      }
    }
    return at;
  }

  /** A string literal. */
  string(at) {
    const quote = this.source[at++];
    while (this.source[at] !== quote) at += this.source[at] === "\\" ? 2 : 1;
    return at + 1;
  }

  /** A template from its backtick on; collects what t tags. */
  template(start) {
    const { source } = this;
    const tagged = source[start - 1] === "t" && !/[\w$]/.test(source[start - 2] ?? "");
    const parts = [""];
    let at = start + 1;
    while (source[at] !== "`") {
      if (source[at] === "\\") {
        parts[parts.length - 1] += source[at + 1];
        at += 2;
      } else if (source.startsWith("${", at)) {
        at = this.code(at + 2, (depth) => depth === 0);
        parts.push("");
      } else parts[parts.length - 1] += source[at++];
    }
    if (tagged) this.found.push(parts.reduce((s, part, i) => `${s}{${i - 1}}${part}`));
    return at + 1;
  }
}
