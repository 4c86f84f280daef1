// @ts-check
/**
 * Shapes of the Inspector (nbtoolkit/live/inspector_*.py).
 *
 * @typedef {object} Word of a response
 * @property {string} key the word, or "word#2" where it comes again
 * @property {string} text
 * @property {number} position that predicts it
 * @property {number[]} positions of its pieces
 * @property {number | null} probability
 * @property {[string, number] | null} runner_up
 * @property {string} refused the reason why it is no target, or ""
 *
 * @typedef {object} Geometry of the image positions
 * @property {number[]} positions per patch
 * @property {(number | null)[]} boxes x0, y0, x1, y1 of each patch as shares of the image, flat; null where there is none
 * @property {number[]} cells tile, row and column of each patch, flat
 * @property {[number, number] | null} grid rows and columns
 * @property {[number, number, number, number]} seen part of the image that the model saw
 * @property {string} sentence
 *
 * @typedef {object} Side what was asked about one image
 * @property {string} question
 * @property {boolean} questions whether the model takes a question
 * @property {string} response
 * @property {string} image as a data URL
 * @property {number} aspect width over height
 * @property {string} label
 * @property {[string, string][]} tokens text and role of every position
 * @property {Word[]} words of the response
 * @property {Geometry | null} geometry
 * @property {string} no_grid the reason why there is no geometry, or ""
 *
 * @typedef {object} Instrument
 * @property {string} name
 * @property {string} title
 * @property {string} summary
 * @property {number} seconds estimate
 * @property {number} passes
 * @property {string} refused the reason, or ""
 * @property {string} of what it is about: "target", "layer", "layer:concept" or "map"
 *
 * @typedef {object} InspectorMeta
 * @property {string} token
 * @property {string} model
 * @property {number} n_layers
 * @property {number} n_heads
 * @property {number} d_model
 * @property {string} dtype
 * @property {string} checks
 * @property {boolean | null} live
 * @property {string | null} locale
 * @property {{ a: Side, b?: Side }} sides
 * @property {Instrument[]} instruments
 * @property {null | { layers: number[], names: Record<string, string[]>, n_concepts: Record<string, number>, words: Record<string, string[][]> }} study
 * @property {Record<string, any>} defaults
 * @property {string[]} [compute] instruments that are computed for every target
 * @property {string[]} [computed] keys of results (store.js) that the session has
 *
 * @typedef {import("./arrays.js").NDArray} NDArray
 *
 * @typedef {object} Result of an instrument
 * @property {string} name
 * @property {string} title
 * @property {string} unit
 * @property {string} check
 * @property {string} null what the null is; "" for none
 * @property {string} note
 * @property {number} seconds
 * @property {Record<string, NDArray>} arrays
 * @property {string[]} strings
 * @property {Record<string, any>} facts
 *
 * @typedef {{ side?: string, of?: string }} Which a result: of which side ("a", "b", "edited"), about which concept or map
 * @typedef {{ state: "absent" | "running" | "done" | "refused", done: number, total: number, reason: string, seconds: number }} Status
 *
 * @typedef {{ layer?: number | null, head?: number | null, patch?: number | null, position?: number | null }} Hovered
 *
 * @typedef {object} InspectorSource
 * @property {boolean} alone whether there is no kernel
 * @property {(name: string, key: string, args: Record<string, any>, progress: (done: number, total: number) => void) => { result: Promise<{ data: any, buffers: (DataView | Uint8Array)[] }>, cancel(): void }} measure
 * @property {string[]} keys of the results that a page has
 * @property {string[]} [edits] keys of the edits whose effect a page has
 * @property {(op: string, args: Record<string, any>, progress?: (done: number, total: number) => void) => import("../types.js").Job} job
 * @property {() => Promise<any>} panes classes of tools.js
 * @property {() => Promise<Record<string, string>>} texts
 * @property {(text: string) => void} fail the kernel has gone: what waits is told
 * @property {() => void} close
 *
 * @typedef {object} InspectorContext what a part of the Inspector needs
 * @property {import("../types.js").Model} model
 * @property {InspectorMeta} meta
 * @property {import("../types.js").Translator} t
 * @property {AbortSignal} signal aborts when the parts are built anew or the view closes
 * @property {(text: string) => void} say
 * @property {import("./store.js").Store} store
 * @property {import("./hover.js").Hover} hover
 * @property {InspectorSource} source
 * @property {boolean} live whether a kernel can compute
 */
export {};
