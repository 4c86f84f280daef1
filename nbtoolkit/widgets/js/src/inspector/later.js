// @ts-check
/** Parts that come with the second script, once the view has been painted. */

const REST = 150; // milliseconds

/** @param {import("./types.js").InspectorContext} ctx @param {(parts: any) => void} then */
export function later({ source, signal, say }, then) {
  const run = () =>
    source.panes().then(
      (parts) => signal.aborted || then(parts),
      (error) => say(String(error)),
    );
  const wait = setTimeout(run, REST);
  signal.addEventListener("abort", () => clearTimeout(wait));
}
