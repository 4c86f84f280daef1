// @ts-check
/** The views' own texts in the reader's language. Texts of the study (words, captions) are never translated. */

/**
 * Short key of a text: FNV-1a in base 36. The table that Python serves has these keys, a third as long as the texts.
 * @param {string} text
 */
export function shortKey(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return (hash >>> 0).toString(36);
}

/** Text to show: a control character is a replacement mark. @param {string} text */
export const visible = (text) => text.replace(/[^\P{Cc}\t\n\r]|\p{Cs}/gu, "\ufffd");

/** Language of the texts for a language tag; with it, browsers select the glyphs. @param {string} locale */
export const language = (locale) => (locale.toLowerCase().startsWith("zh") ? "zh-Hans" : "en");

/**
 * The texts of a table of translations; in English without one.
 * @param {Record<string, string>} [table] by short key @returns {import("./types.js").Translator}
 */
export function translator(table = {}) {
  return (parts, ...values) => {
    const key = parts.reduce((text, part, i) => `${text}{${i - 1}}${part}`);
    const text = (table[shortKey(key)] ?? key).replace(
      /\{(\d+)\} (concept|image|step|thread|link)s/g,
      (all, i, noun) => (values[Number(i)] === 1 ? `{${i}} ${noun}` : all),
    );
    return text.replace(/\{(\d+)\}/g, (_, i) => visible(String(values[Number(i)])));
  };
}

/** Translate a text that is chosen at run time. @param {import("./types.js").Translator} t @param {string} text */
export const translate = (t, text) => t(/** @type {TemplateStringsArray} */ (/** @type {unknown} */ ([text])));
