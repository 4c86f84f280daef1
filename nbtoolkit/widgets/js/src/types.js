// @ts-check
/**
 * Shapes that cross the border to Python (nbtoolkit/widgets/encode.py).
 *
 * @typedef {{ words: string[], exemplars: number[], share: number, histogram: number[], active: number, clip_score: number | null, twin: number | null }} Concept
 * @typedef {{ name: string, label: string, better: string, baseline: string, values: (number | null)[], spread: (number | null)[], baselines: (number | null)[] }} Curve
 * @typedef {{ token: string, model: string, method: string, n_layers: number, layers: number[], slots: number[], concepts: Record<string, Concept[]>, tops: Record<string, [number, string[]][]>,
 *             pictured: boolean, metrics: Curve[], samples: { id: string, caption: string }[],
 *             locale: string | null, live: { n_layers: number, n_heads: number, name: string } | null }} Meta
 * @typedef {{ id: string, caption: string, captions: string[], pieces: string[], position: number, pictured: boolean, aspect: number }} Facts
 * @typedef {{ values: Float32Array, nConcepts: number, rest: Float32Array }} Activations
 * @typedef {{ url: string, index: number, count: number, caption: string, aspect: number }} Thumb
 * @typedef {{ shape: number[], low: number[], high: number[], bytes: Uint8Array }} Maps where each concept lies: (n_concepts, height, width) between low and high
 *
 * What anywidget gives (and what the standalone page imitates).
 * @typedef {{ get(name: string): any, set(name: string, value: any): void, save_changes(): void,
 *             on(event: string, callback: (...args: any[]) => void): void, off(event: string, callback: (...args: any[]) => void): void,
 *             send(content: any, callbacks?: any, buffers?: any): void }} Model
 *
 * A tagged template: the text in the reader's language.
 * @typedef {(parts: TemplateStringsArray, ...values: any[]) => string} Translator
 *
 * What a pane needs: the state, its meta data, and where bulk data comes from.
 * @typedef {{ model: Model, meta: Meta, source: Source, signal: AbortSignal, say(text: string): void, arrive(f: () => void): void, t: Translator }} Context
 * @typedef {{ thumbs(rows: number[]): Promise<Map<number, Thumb>>, sample(row: number): Promise<{ facts: Facts, url: string | null }>,
 *             ids(): Promise<string[]>, layer(layer: number): Promise<{ concepts: Concept[], captions: Record<string, string> }>, activations(layer: number): Promise<Activations>, close(): void, alone?: boolean,
 *             maps: null | ((row: number, layer: number, signal?: AbortSignal) => Promise<Maps>),
 *             asked: null | ((op: string, row: number, layer: number, sample: string) => Promise<any>),
 *             job: null | ((op: string, args: Record<string, any>, progress?: (done: number, total: number) => void, buffers?: ArrayBuffer[]) => Job) }} Source
 *
 * Long work in the kernel.
 * @typedef {{ answer: Promise<any>, cancel(): void }} Job
 */
export {};
