"""The second world: planted spurious pairs, two senses of a word, a hierarchy, distractors and graded factors. Imports no torch."""
