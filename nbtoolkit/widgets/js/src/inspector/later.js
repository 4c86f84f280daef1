// @ts-check
/** What can wait: parts that come with the second script, once the view has been painted; and what follows from several changes. */

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

/** A callback that runs once after several traits have changed together. @param {() => void} callback */
export function together(callback) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    queueMicrotask(() => {
      waits = false;
      callback();
    });
  };
}
