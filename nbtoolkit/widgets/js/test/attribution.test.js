import assert from "node:assert/strict";
import test from "node:test";

import { after, chance, effectsOf, sentences, sums, target } from "../src/attribution.js";
import { translator } from "../src/words.js";

const t = translator();
const attribution = {
  quantity: "logit_difference",
  foil: "cat",
  unit: "nats",
  probability: 0.9996,
  saturated: true,
  ablation: [3, 1, 0, -0.5],
  integrated_gradients: [4, 1, 0, 1],
  gradient: [0.1, 0, 0, 0],
  leave_all_out: 6,
  remainder: { ablation: 2.5, integrated_gradients: 0, gradient: 5.9 },
  ratio: { ablation: 0.58, integrated_gradients: 1, gradient: 0.02 },
  rank_correlation: { ablation: 1, integrated_gradients: 0.5, gradient: null },
};

test("listed concepts, other concepts and the remainder add up to all concepts", () => {
  const rows = sums(t, attribution, [0]);
  assert.deepEqual(
    rows.map(({ text }) => text),
    ["other concepts (2)", "remainder", "all concepts ablated"],
  );
  const [others, remainder, all] = rows.map(({ effects }) => effects);
  const own = effectsOf(attribution, 0);
  for (let i = 0; i < 3; i++) assert.ok(Math.abs(own[i] + others[i] + remainder[i] - all[i]) < 1e-12);
  assert.equal(sums(t, attribution, [0, 1, 3]).length, 2);
  assert.equal(sums(t, attribution, [0, 1])[0].text, "other concepts (1)");
});

test("the target is named, and why the default switched", () => {
  assert.equal(target(t, attribution), "Δ logit difference to “cat”");
  assert.equal(target(t, { ...attribution, quantity: "log_prob" }), "Δ log p");
  assert.equal(target(t, { ...attribution, quantity: "logit" }), "Δ logit");
  assert.match(sentences(t, attribution, "dog")[0], /“dog” is saturated \(p = 0\.9996\)/);
  assert.equal(sentences(t, { ...attribution, saturated: false }, "dog")[0], "");
});

test("a change in nats is a probability too, where it is one of the log-probability", () => {
  const one = { ...attribution, quantity: "log_prob", probability: 0.8 };
  assert.equal(after(one, -Math.log(2)), "0.400");
  assert.equal(after(one, 0), "0.800");
  assert.equal(after(one, 5), "1.000");
  assert.equal(after(attribution, -1), undefined); // of a logit difference there is none
  assert.equal(chance(0.00012), "1e-4");
});
