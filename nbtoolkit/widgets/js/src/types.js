// @ts-check
/**
 * Shapes that cross the border to Python (nbtoolkit/widgets/payloads.py).
 *
 * @typedef {object} Concept
 * @property {string} name tells it apart from the others of its layer
 * @property {string[]} words
 * @property {number[]} exemplars rows of the samples
 * @property {number[]} values activations of the exemplars
 * @property {boolean} [signed] whether some activation is negative
 * @property {number} share of all activation, 0 to 1
 * @property {number[]} histogram
 * @property {number} [top] the end of its axis: the largest absolute activation of the layer
 * @property {number} active share of the samples that use it
 * @property {number | null} clip_score
 * @property {number | null} clip_null random words on the same exemplars
 * @property {number | null} twin a near-duplicate
 * @property {number} [k] its row, and `n` the number of all concepts, where only some are sent
 * @property {number} [n]
 * @property {boolean} [absent] whether it was not sent
 *
 * @typedef {object} Curve one score per layer
 * @property {string} name
 * @property {string} label
 * @property {string} better "higher", "lower" or ""
 * @property {string} baseline name of the baseline
 * @property {(number | null)[]} values
 * @property {(number | null)[]} spread
 * @property {(number | null)[]} baselines
 * @property {(number | null)[]} constants the same score of the token alone
 * @property {string} preserves what the two preserve
 *
 * @typedef {object} Meta what a view of a study opens with; `concepts` and `samples` are completed by requests
 * @property {string} token
 * @property {string} model
 * @property {string} method
 * @property {boolean} given whether the responses are captions that came with the images
 * @property {number} n_layers
 * @property {number[]} layers that have a dictionary
 * @property {number[]} slots layers on the axis
 * @property {Record<string, Concept[]>} concepts by layer
 * @property {Record<string, [number, string][]>} tops names of the strongest concepts by layer
 * @property {Record<string, { rule: string, text: string }>} naming how words are read, by layer
 * @property {boolean} pictured whether any sample has an image
 * @property {Curve[]} metrics
 * @property {{ id: string, caption: string, own?: boolean, name?: string, given?: boolean }[]} samples those of the study, then the reader's own photographs
 * @property {number} n_samples number of the study's
 * @property {import("./threads.js").Threads} [threads] concepts followed through the layers, once they are there
 * @property {string | null} locale
 * @property {Record<string, any>} defaults of the state traits, in the Explorer
 * @property {{ n_layers: number, n_heads: number, name: string, directions: string[] } | null} live
 *
 * @typedef {object} Facts of one sample
 * @property {string} id
 * @property {string} caption
 * @property {string[]} captions
 * @property {string[]} pieces of the response
 * @property {number} position of the token among them
 * @property {boolean} pictured
 * @property {number} aspect width over height
 * @property {boolean} [given] of a photograph: whether its caption was given
 *
 * @typedef {{ values: Float32Array, nConcepts: number, rest: Float32Array }} Activations (n_samples, n_concepts), and the unexplained shares
 * @typedef {{ url: string, index: number, count: number, caption: string, aspect: number }} Thumb a place in a strip
 * @typedef {{ shape: number[], low: number[], high: number[], frame: number[], seen: number[], bytes: Uint8Array, concepts?: number[], slots?: Map<number, number> }} Maps of all concepts, or of some (`slots`: from a concept to its map): (n_concepts, height, width) between low and high; `frame`: where they lie, `seen`: what the model saw (seen.js)
 * @typedef {{ pieces: string[], position: number, activations: number[][], unexplained: (number | null)[] }} Tokens concepts per token of a response
 * @typedef {{ ablation: number, integrated_gradients: number, gradient: number }} PerMeasure
 * @typedef {{ ablation: number | null, integrated_gradients: number | null, gradient: number | null }} Agreements
 *
 * @typedef {object} Attribution of the token to the concepts; what decreases without them is positive
 * @property {string} quantity "log_prob", "logit" or "logit_difference"
 * @property {string} foil
 * @property {string} unit
 * @property {number} probability of the token
 * @property {boolean} saturated whether that made the logit difference the default
 * @property {number[]} ablation per concept
 * @property {number[]} integrated_gradients
 * @property {number[]} gradient times coefficient
 * @property {number} leave_all_out all concepts together
 * @property {PerMeasure} remainder leave_all_out less the sum
 * @property {Agreements} ratio of the sum to leave_all_out
 * @property {Agreements} rank_correlation with ablation
 *
 * @typedef {{ op: "ablate", layers: number[], part: string, how: string, heads: number[] | null }} LayersEdit
 * @typedef {{ op: "ablate", layer: number, concept: number }} ConceptEdit
 * @typedef {{ op: "steer", layer: number, concept?: number, word?: string, direction?: string, strength: number, positions: string }} SteerEdit
 *
 * @typedef {object} Model what anywidget gives (and what the exported page imitates)
 * @property {(name: string) => any} get
 * @property {(name: string, value: any, options?: any) => void} set
 * @property {() => void} save_changes
 * @property {(event: string, callback: (...args: any[]) => void) => void} on
 * @property {(event: string, callback: (...args: any[]) => void) => void} off
 * @property {(content: any, callbacks?: any, buffers?: any) => void} send
 * @property {any} [widget_manager] what renders further widgets, where the host has it
 *
 * @typedef {(parts: TemplateStringsArray, ...values: any[]) => string} Translator tags a template: the text in the reader's language
 *
 * @typedef {{ result: Promise<any>, cancel(): void }} Job long work in the kernel
 *
 * @typedef {Record<string, new (ctx: Context) => { el: HTMLElement, result?: HTMLElement, saved?(): SVGSVGElement | null }>} Panes
 *
 * @typedef {object} Source of bulk data
 * @property {boolean} [alone] whether there is no kernel
 * @property {(rows: number[]) => Promise<Map<number, Thumb>>} thumbs
 * @property {(row: number) => Promise<{ facts: Facts, url: string | null }>} sample
 * @property {(row: number, layer: number) => Promise<{ activations: Activations, at: number, facts?: Facts }>} ofRow activations of one sample, in row `at` of them; and of a photograph its response
 * @property {(id: string) => Promise<{ url: string, aspect: number }>} photo image of a photograph
 * @property {(id: string, layer: number) => Promise<import("./photo_source.js").Described>} described its response and concepts
 * @property {() => Promise<string[]>} ids
 * @property {() => Promise<import("./threads.js").Threads>} threads
 * @property {(layer: number, other: number) => Promise<any>} matches of the concepts of two layers
 * @property {() => Promise<Panes>} panes classes of panes.js
 * @property {() => Promise<Record<string, string>>} texts of the views in Chinese, by short key
 * @property {(layer: number, op?: string, which?: Record<string, any>) => Promise<{ concepts: Concept[], captions: Record<string, string> }>} layer all, or some, of its concepts
 * @property {(layer: number) => Promise<Activations>} activations
 * @property {null | ((op: string, of: { row: number, sample: string, layer: number, concept?: number, many?: string }, signal?: AbortSignal) => Promise<any>)} ask a live operation about one image, cached; `many`: of one among many images, which are requested together (a part of the concepts where the dictionary is large)
 * @property {null | ((op: string, args: Record<string, any>, progress?: (done: number, total: number) => void, buffers?: ArrayBuffer[]) => Job)} job any live operation
 * @property {(op: string, args: Record<string, number>) => Promise<{ data: any, buffers: (DataView | Uint8Array)[] }>} bulk a quick request with arrays, cached; in a page, by operation and layer
 * @property {(op: string) => boolean} [holds] whether a page has results of a live operation
 * @property {() => void} close
 *
 * @typedef {Omit<Source, "ofRow">} StudySource without the reader's photographs
 *
 * @typedef {object} Marks colours of concepts, shared by the panes
 * @property {(concept: number) => string | undefined} get
 * @property {(marks: Map<number, string>) => void} set
 * @property {(callback: () => void) => void} onChange
 *
 * @typedef {object} Context what a pane needs
 * @property {Model} model
 * @property {Meta} meta
 * @property {Source} source
 * @property {AbortSignal} signal aborts when the panes are built anew or the view closes
 * @property {(text: string) => void} say to screen readers; a text that begins with "Error" to the banner
 * @property {(which: number[] | string, then?: () => void) => Promise<void>} more fetches concepts of the selected layer that are not there; then, where any came
 * @property {(then: () => void) => void} every calls back once all layers are there
 * @property {(callback: () => void) => void} arrive calls back once the selected layer is there
 * @property {Marks} marks
 * @property {boolean} [entered] whether the reader has opened the page of a concept, which then takes the focus
 * @property {Translator} t
 */
export {};
