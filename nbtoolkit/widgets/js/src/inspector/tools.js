// @ts-check
/** Parts whose script comes when they are needed first (../lazy.js). */

export { Compare } from "./compare.js";
export { EditBar } from "./edit_bar.js";
export { Ledger } from "./ledger.js";
export { Picture } from "./picture.js";
export { Multiples } from "./multiples.js";
export { savingGrid, savingMap } from "./saved.js";
export { Grids } from "./grids.js";
