// @ts-check
/** What follows from the selection. */

/** The layer of the study whose concepts are meant: the selected one, else the last; null without a study. @param {import("./types.js").InspectorMeta} meta @param {number | null} layer @returns {number | null} */
export function conceptLayer({ study }, layer) {
  const layers = study?.layers ?? [];
  return layer !== null && layers.includes(layer) ? layer : (layers[layers.length - 1] ?? null);
}
