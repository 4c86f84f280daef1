// @ts-check
/** Parts whose script comes when they are needed first (../lazy.js). */

export { Compare } from "./compare.js";
export { EditBar } from "./edit_bar.js";
export { Picture } from "./picture.js";
export { Guide } from "../guide.js";
