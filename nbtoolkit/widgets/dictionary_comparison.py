"""DictionaryComparison: two layers, methods, models or random states, concept by concept."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from ..errors import NbtoolkitError
from ..metrics.matching import compare_dictionaries
from ..options import options
from ..storage.study import Study
from ..types import Score
from . import arguments, payloads, threads
from .base import View, state_trait
from .channel import Reply
from .concept_lists import N_LISTED, part, strongest
from .page import still
from .picture import N_TILES, Card, Picture
from .thumbnails import encoded

N_IMAGES = 5  # per concept
N_WORDS = 8  # per concept


class DictionaryComparison(View):
    """Two dictionaries side by side: matched pairs, concepts without a partner, and the agreement against its nulls.

    Of dictionaries with more than 1,000 concepts the strongest 1,000 are compared.

    Parameters
    ----------
    a, b
        Studies; without ``b``, two layers of ``a``.
    layers
        The layer of each; the last one if None.
    measure
        ``"cosine"``, ``"activation"`` or ``"auto"``; see :func:`nbtoolkit.metrics.compare_dictionaries`.
    names
        Titles of the two.
    **state
        ``pair`` and ``threshold``; see the traits.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=200)
    >>> study = nbt.study(model, data, "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> DictionaryComparison(study, layers=(2, 4)).agreement.measure
    'activation'
    """

    kind = "dictionary_comparison"
    reading = "A row pairs a concept of A with the most similar one of B; the similarities are compared with those of random mixtures."

    pair = state_trait(
        traitlets.List(
            traitlets.Int(allow_none=True),
            help="Selected pair: row in A, row in B; None where a concept has no partner.",
        )
    )
    threshold = state_trait(
        traitlets.Float(0.4, help="Similarity from which a pair counts as shared, -1 to 1, no unit.")
    )

    def __init__(
        self,
        a: Study,
        b: Study | None = None,
        *,
        layers: Sequence[int] | None = None,
        measure: str = "auto",
        names: Sequence[str] | None = None,
        **state: Any,
    ) -> None:
        self._studies = (a, a if b is None else b)
        for study in self._studies:
            if not isinstance(study, Study):
                raise NbtoolkitError(
                    f"DictionaryComparison was given a {type(study).__name__}; expected studies, from nbt.study(…) or nbt.open_study(path)."
                )
        self._refuse_unknown(state, "layers", "measure", "names")
        _check_two("layers", layers, "a layer of each study")
        _check_two("names", names, "a title for each study")
        layers = layers or (self._studies[0].layers[-1], self._studies[1].layers[-1])
        cds = [s.dictionary(layer) for s, layer in zip(self._studies, layers, strict=True)]
        self._rows = [strongest(cd) for cd in cds]
        states = self._studies[1].representations.layer(cds[1].layer)
        fits = states.shape == (
            len(cds[1].sample_ids),
            cds[1].concepts.shape[1],
        )  # a study of several sources has others
        parts = [part(cd, rows) for cd, rows in zip(cds, self._rows, strict=True)]
        self.agreement = compare_dictionaries(*parts, measure=measure, states=states if fits else None)
        self._samples = [*a.samples] if b is None else [*a.samples, *b.samples]
        self._options: dict[str, Any] = {
            "layers": [cd.layer for cd in cds],
            "measure": self.agreement.measure,
            "names": None if names is None else list(names),
        }
        self._offsets = (0, 0 if b is None else len(a.samples))
        meta = self._opening()
        pair = meta["pairs"][0][:2] if meta["pairs"] else [None, None]
        super().__init__(meta, {"thumbs": self._thumbs}, {}, **{"pair": pair, **state})

    def state(self) -> dict[str, Any]:
        """State of the view, with its layers, measure and names: ``DictionaryComparison(a, b, **view.state())``."""
        return {**super().state(), **self._options}

    def _opening(self) -> dict[str, Any]:
        result = self.agreement
        sides = [self._side(i) for i in range(2)]
        listed = {i for side in sides for c in side["concepts"] for i in c["exemplars"]}
        rows, others = self._rows  # concepts that were compared
        pairs = [
            [rows[i], others[j], round(float(result.values[i]), 4)] for i, j in enumerate(result.partners) if j >= 0
        ]
        return {
            "token": self._studies[0].token,
            "sides": sides,
            "measure": result.measure,
            "n_compared": N_LISTED,
            "pairs": sorted(pairs, key=lambda p: -p[2]),
            "live": None,
            "locale": options.locale,
            "agreement": round(result.score.mean, 4),
            "centred": round(result.centred_score.mean, 4),
            "null": _null(result.null, result.p),
            "centred_null": _null(result.centred_null, result.centred_p),
            "floor": None if result.floor is None else _null(result.floor, float("nan")),
            "samples": [{"id": s.id, "caption": s.caption if i in listed else ""} for i, s in enumerate(self._samples)],
        }

    def _side(self, i: int) -> dict[str, Any]:
        study, layer, names = self._studies[i], self._options["layers"][i], self._options["names"]
        cd, g = study.dictionary(layer), study.grounding(layer)
        automatic = study.names(layer, labels={})
        concepts = [
            {
                "name": automatic[k],
                "words": list(g.words[k][:N_WORDS]),
                "exemplars": [self._offsets[i] + study.rows[s] for s in g.exemplars[k] if s in study.rows][:N_IMAGES],
                "label": threads.given_name(study, layer, k),
                **({"k": k, "n": cd.n_concepts} if cd.n_concepts > len(self._rows[i]) else {}),
            }
            for k in self._rows[i]
        ]
        models = [payloads.short(s.source.model) for s in self._studies]
        of = f" in {models[i]}" if models[0] != models[1] else ""
        title = names[i] if names else f"“{study.token}”{of}, layer {layer}, {cd.method}"
        facts = None if names else [study.token, layer, cd.method]  # of the title, in any language
        return {"title": title, "facts": facts, "model": payloads.short(study.source.model), "concepts": concepts}

    @traitlets.validate("pair")
    def _valid_pair(self, proposal: traitlets.Bunch) -> list[int | None]:
        value, sides = list(proposal["value"]), self._rows if self._meta.get("sides") else []
        if not sides:
            return value  # closed
        fits = len(value) == 2 and all(v is None or v in rows for v, rows in zip(value, sides, strict=True))
        if not fits:
            ends = [f"{rows[0]} … {rows[-1]}" if rows else "none" for rows in sides]
            raise traitlets.TraitError(
                f"pair is {value}; expected a row of A ({ends[0]}) and one of B ({ends[1]}) that are compared, or None for either."
            )
        return value

    @traitlets.validate("threshold")
    def _valid_threshold(self, proposal: traitlets.Bunch) -> float:
        if not -1 <= proposal["value"] <= 1:
            raise traitlets.TraitError(f"threshold is {proposal['value']}; expected a number from -1 to 1.")
        return float(proposal["value"])

    def _thumbs(self, rows: list[int]) -> Reply:
        return payloads.thumbs(self._samples, arguments.rows("row", rows, len(self._samples)))

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one self-contained page, interactive without a kernel or network.

        Parameters
        ----------
        path
            File to write; it is replaced only once the new one is whole.

        Returns
        -------
        pathlib.Path
            The file.
        """
        a, b = self._sides()
        listed = sorted({i for side in (a, b) for c in side["concepts"] for i in c["exemplars"]})
        jpegs = {str(i): encoded(self._samples[i]) for i in listed}
        images = {i: base64.b64encode(jpeg).decode() for i, jpeg in jpegs.items() if jpeg}
        title = f"{a['title']} and {b['title']}"
        return self._write_page(path, title, dict(self._meta), {"activations": {}, "images": images, "facts": []})

    def _sides(self) -> Any:
        if not self._meta:
            raise NbtoolkitError("The view is closed. Run the cell again.")
        return self._meta["sides"]

    def _concepts(self) -> list[dict[int, dict[str, Any]]]:
        """Concepts of each side by their rows."""
        sides = zip(self._rows, self._sides(), strict=True)
        return [dict(zip(rows, side["concepts"], strict=True)) for rows, side in sides]

    def _preview(self, n_concepts: int, size: int, quality: int, note: str) -> str:
        (a, b), concepts = self._sides(), self._concepts()
        rows = []
        for i, j, similarity in self._meta["pairs"][:n_concepts]:
            both = (concepts[0][i], concepts[1][j])
            words = " and ".join(" · ".join(c["words"][:4]) for c in both)
            images = [self._samples[r] for c in both for r in c["exemplars"][:3]]
            rows.append((f"{i} and {j}", f"{words} ({self.agreement.measure} {similarity:.2f})", images))
        head = f"{a['title']} and {b['title']}: mean {self._agreement()}. {note}"
        return still(head, rows, size, quality)

    def _picture(self) -> Picture:
        (a, b), concepts = self._sides(), self._concepts()
        cards = []
        for i, j, similarity in self._meta["pairs"]:
            for side, (number, value) in zip(concepts, ((i, ""), (j, f"{similarity:.2f}")), strict=True):
                concept = side[number]
                words = [*concept["words"], f"concept {number}"]
                samples = [self._samples[r] for r in concept["exemplars"][:N_TILES]]
                cards.append(Card(concept["label"] or words[0], " · ".join(words[1:-1]), samples, value))
        title = f"{a['title']} and {b['title']}"
        return Picture(title, f"mean {self._agreement()}", cards)

    def _agreement(self) -> str:
        result = self.agreement
        floor = "" if result.floor is None else f", random rows {result.floor.mean:.2f}"
        return (
            f"{result.measure} {result.score.mean:.2f} (random mixtures {result.null.mean:.2f}{floor}), "
            f"centred {result.centred_score.mean:.2f} (random mixtures {result.centred_null.mean:.2f})"
        )

    def _release(self) -> None:
        super()._release()
        self._samples = []

    def __repr__(self) -> str:
        a, b = self._meta.get("sides") or ({"title": "(closed)"}, {"title": "(closed)"})
        return f"DictionaryComparison of {a['title']} and {b['title']}: {self._agreement()}"


def _check_two(name: str, values: Any, expected: str) -> None:
    if values is not None and (not isinstance(values, list | tuple) or len(values) != 2):
        raise NbtoolkitError(f"{name} is {values!r}; expected {expected}, or None.")


def _null(null: Score, p: float) -> dict[str, Any]:
    """A null for the page: its mean and 95 % quantile, the p-value against it, and what it preserves."""
    high = float(np.quantile(null.values, 0.95))
    return {
        "mean": round(null.mean, 4),
        "high": round(high, 4),
        "p": round(p, 3) if np.isfinite(p) else None,
        "preserves": null.preserves,
    }
