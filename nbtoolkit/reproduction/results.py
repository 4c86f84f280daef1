"""Results of the evaluation: scores, tables, claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas

from ..attribution.local import Interpretation
from ..metrics import Score
from ..types import Grounding, Scores


@dataclass(frozen=True)
class Panel:
    """Interpreted test samples, for Figure 5.

    Attributes
    ----------
    interpretations, images
        The samples' interpretations, and their images (JPEG).
    exemplars
        Sample id to the image of an exemplar (JPEG).
    """

    interpretations: tuple[Interpretation, ...]
    images: tuple[bytes, ...]
    exemplars: Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class Reproduction:
    """Results of the evaluation.

    Attributes
    ----------
    scores
        Token to system to its CLIPScore on test images, a value per image (Tables 1 and 9).
    overlaps
        Token to method to its overlap (Tables 2 and 10).
    tests
        Token to system to the comparison of Semi-NMF with it (Table 11).
    texts, text_tests
        The same for BERTScore, where a text encoder was given; else empty for every token.
    grounding
        Token to the scores of its Semi-NMF dictionary, for Figure 3.
    layers, sizes
        Tables of :func:`nbtoolkit.sweep` over layers (Figure 6) and numbers of concepts (Figures 11 and 12).
    groundings, panels, samples
        Token to its Semi-NMF grounding, to interpreted test samples (Figure 5), and to (train, test) numbers of samples
        (Table 7).
    model, left_out
        The model, and the tokens that could not be evaluated, with the reason.
    """

    scores: Mapping[str, Mapping[str, Score]]
    overlaps: Mapping[str, Mapping[str, float]]
    tests: Mapping[str, Mapping[str, Any]]
    texts: Mapping[str, Mapping[str, Score]]
    text_tests: Mapping[str, Mapping[str, Any]]
    grounding: Mapping[str, Scores]
    layers: pandas.DataFrame
    sizes: pandas.DataFrame
    groundings: Mapping[str, Grounding]
    panels: Mapping[str, Panel]
    samples: Mapping[str, tuple[int, int]]
    model: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)

    def table(self) -> pandas.DataFrame:
        """Every score as a row: ``token, system, metric, mean, std, low, high, n, p`` (p: Semi-NMF against it, t-test)."""
        rows: list[dict[str, Any]] = []
        for token in self.scores:
            for metric, systems, tests in (
                ("clip_score", self.scores[token], self.tests[token]),
                ("bert_score", self.texts[token], self.text_tests[token]),
            ):
                for name, score in systems.items():
                    low, high = score.interval()
                    row = {"token": token, "system": name, "metric": metric, "mean": score.mean, "std": score.std}
                    p = tests[name].t_p if name in tests else float("nan")
                    rows.append(row | {"low": low, "high": high, "n": len(score.defined), "p": p})
            rows += [
                {"token": token, "system": name, "metric": "overlap", "mean": value}
                for name, value in self.overlaps[token].items()
            ]
        return pandas.DataFrame(rows)

    def claims(self) -> list[tuple[str, int, int]]:
        """The paper's claims, and for how many of how many tokens they hold."""
        tokens = list(self.scores)
        n, last = len(tokens), self.layers["layer"].max()
        by_layer, random = (
            self.layers.pivot_table(index="token", columns="layer", values=v)
            for v in ("clip_score", "clip_score_random")
        )
        first = by_layer.columns[0]
        errors = self.sizes.pivot_table(index="token", columns="n_concepts", values="reconstruction_error")

        def better(a: str, b: str) -> int:
            return sum(self.scores[t][a].mean > self.scores[t][b].mean for t in tokens)

        def cleaner(a: str, b: str) -> int:
            return sum(self.overlaps[t][a] < self.overlaps[t][b] for t in tokens)

        best = sum(self.scores[t]["GT-captions"].mean >= max(s.mean for s in self.scores[t].values()) for t in tokens)
        fewest = sum(min(self.overlaps[t].items(), key=lambda item: item[1])[0] == "PCA" for t in tokens)
        counts = {
            "Concepts' words fit test images better than random words (Table 1)": better("SemiNMF", "Rnd-Words"),
            "… and better than those learnt from noise (Table 1)": better("SemiNMF", "Noise-Imgs"),
            "Own captions fit best of all (Table 1)": best,
            "Semi-NMF fits better than PCA (Table 9)": better("SemiNMF", "PCA"),
            "Semi-NMF fits better than the Simple baseline, LargestNorm (Table 1: 3 of 4 words)": better(
                "SemiNMF", "LargestNorm"
            ),
            "Semi-NMF's concepts share fewer words than K-Means' (Table 2)": cleaner("SemiNMF", "KMeans"),
            "… and than LargestNorm's (Table 2)": cleaner("SemiNMF", "LargestNorm"),
            "PCA's concepts share the fewest words (Table 2)": fewest,
            "At the last layer words fit better than random words (Figure 6)": int(
                (by_layer[last] > random[last]).sum()
            ),
            "Words fit better at the last layer than at the first (Figure 6)": int(
                (by_layer[last] > by_layer[first]).sum()
            ),
            "More concepts rebuild the states better (Figure 11)": int(
                (errors.diff(axis=1).iloc[:, 1:] <= 0).all(axis=1).sum()
            ),
        }
        return [(claim, count, n) for claim, count in counts.items()]
