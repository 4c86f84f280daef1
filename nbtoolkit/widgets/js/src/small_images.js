// @ts-check
/** Small square images as data, which a saved drawing can hold. */

const SIDE = 68; // pixels

/**
 * Images of rows as data URLs; rows without an image are left out.
 * @param {import("./types.js").Source} source @param {number[]} rows
 * @returns {Promise<Map<number, string>>}
 */
export async function smallImages(source, rows) {
  const thumbs = await source.thumbs([...new Set(rows)]);
  /** @type {Map<string, HTMLImageElement>} */
  const strips = new Map();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  /** @type {Map<number, string>} */
  const urls = new Map();
  for (const [row, { url, index, count }] of thumbs) {
    const image = strips.get(url) ?? new Image();
    if (!strips.has(url)) {
      image.src = url;
      strips.set(url, image);
      await image.decode().catch(() => {});
    }
    const wide = image.naturalWidth / count;
    const side = Math.min(wide, image.naturalHeight);
    if (!side) continue;
    pen.drawImage(
      image,
      index * wide + (wide - side) / 2,
      (image.naturalHeight - side) / 2,
      side,
      side,
      0,
      0,
      SIDE,
      SIDE,
    );
    urls.set(row, canvas.toDataURL("image/jpeg", 0.8));
  }
  return urls;
}
