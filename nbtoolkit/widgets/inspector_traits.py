"""The traits of the Inspector: one selection over patches, positions, layers, heads and concepts, and what is drawn of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import traitlets

from ..errors import NbtoolkitError
from ..types.rules import suggestion
from .base import View, state_trait
from .inspector_edits import Facts, checked

METRICS = ("", "lens", "attention", "occlusion", "gradients", "concept", "head")
GRIDS = ("attention", "contribution", "knockout", "writers")
POSITIONS = ("lens", "patching")
LEDGERS = ("layers", "heads", "neurons", "patches", "concepts")
UNITS = ("log_prob", "logit")
COMPARED = ("", "other", "edited")
MAX_TICKED = 64
PART = re.compile(r"L\d+\.H\d+|A\d+|MLP\d+|N\d+\.\d+|P\d+|C\d+\.\d+", re.ASCII)
MAX_WORD = 200


class Selection(View):
    """The state of an Inspector; :class:`nbtoolkit.widgets.Inspector` is the view."""

    target = state_trait(
        traitlets.Unicode(help='Word of the response that is explained; "a#2" for the second "a" of the response.')
    )
    foil = state_trait(traitlets.Unicode(help='Word that it is compared with; "" for none: then log p is measured.'))
    question = state_trait(traitlets.Unicode(help="The question; another one is answered by the model."))
    patches = state_trait(
        traitlets.List(traitlets.Int(), help="Selected patches of the image, in the order of the geometry.")
    )
    token = state_trait(traitlets.Int(None, allow_none=True, help="Selected position of the sequence."))
    layer = state_trait(
        traitlets.Int(None, allow_none=True, help="Selected layer: 0 is the input of the first block; None for all.")
    )
    head = state_trait(traitlets.Int(None, allow_none=True, help="Selected attention head; None for all."))
    concept = state_trait(
        traitlets.Int(None, allow_none=True, help="Selected concept of the study's dictionary of the layer.")
    )
    metric = state_trait(
        traitlets.Enum(METRICS, "attention", help=f"Map over the image: one of {METRICS[1:]}, or '' for none.")
    )
    grid = state_trait(traitlets.Enum(GRIDS, GRIDS[0], help=f"Grid of layers and heads: one of {GRIDS}."))
    positions = state_trait(
        traitlets.Enum(POSITIONS, POSITIONS[0], help=f"Grid of layers and positions: one of {POSITIONS}.")
    )
    ledger = state_trait(traitlets.Enum(LEDGERS, LEDGERS[0], help=f"Parts that are ranked: one of {LEDGERS}."))
    ticked = state_trait(
        traitlets.List(traitlets.Unicode(), help='Ticked parts: "L4.H1", "MLP4", "A4", "N4.123", "P36", "C4.7".')
    )
    unit = state_trait(
        traitlets.Enum(UNITS, UNITS[0], help="Unit of an edit's effect: log-probability in nats, or logit.")
    )
    edits = state_trait(
        traitlets.List(traitlets.Dict(), help="Edits of the forward pass whose effect is measured, as dicts.")
    )
    compared = state_trait(
        traitlets.Enum(COMPARED, "", help="What stands beside the image: '', 'other', or 'edited': under the edits.")
    )

    @property
    def _sides(self) -> dict[str, Any]:
        return dict(self._meta["sides"])

    @property
    def _keys(self) -> list[str]:
        return [word["key"] for word in self._sides["a"]["words"]]

    @property
    def _n_patches(self) -> int:
        geometry = self._sides["a"]["geometry"]
        return 0 if geometry is None else len(geometry["positions"])

    @property
    def _facts(self) -> Facts:
        """What edits are checked against."""
        meta, study = self._meta, self._meta["study"] or {"n_concepts": {}}
        n_concepts = {int(layer): n for layer, n in study["n_concepts"].items()}
        n = len(self._sides["a"]["tokens"])
        return Facts(meta["n_layers"], meta["n_heads"], self._n_patches, n, n_concepts, "b" in self._sides)

    @traitlets.validate("target")
    def _valid_target(self, proposal: traitlets.Bunch) -> str:
        value: str = proposal["value"]
        refused = {word["key"]: word["refused"] for word in self._sides["a"]["words"]}
        if value not in refused:
            raise traitlets.TraitError(
                f"target is {value[:100]!r}; expected a word of the response {self._sides['a']['response'][:200]!r}."
                f"{suggestion(value, self._keys)}"
            )
        if refused[value]:
            raise traitlets.TraitError(refused[value])
        return value

    @traitlets.validate("foil")
    def _valid_foil(self, proposal: traitlets.Bunch) -> str:
        value = str(proposal["value"]).strip()
        self._expect(len(value) <= MAX_WORD, "foil", value[:100], f"a word of at most {MAX_WORD} characters")
        return value

    @traitlets.validate("patches")
    def _valid_patches(self, proposal: traitlets.Bunch) -> list[int]:
        n = self._n_patches
        for value in proposal["value"]:
            self._expect(0 <= value < n, "patches", value, f"0 … {n - 1}" if n else "none: the image has no patches")
        return sorted({int(value) for value in proposal["value"]})

    @traitlets.validate("token")
    def _valid_token(self, proposal: traitlets.Bunch) -> int | None:
        return self._bounded(proposal, 0, len(self._sides["a"]["tokens"]) - 1)

    @traitlets.validate("layer")
    def _valid_layer(self, proposal: traitlets.Bunch) -> int | None:
        value, n = proposal["value"], self._meta["n_layers"]
        proposal["value"] = value + n + 1 if value is not None and -n - 1 <= value < 0 else value
        return self._bounded(proposal, 0, n)

    @traitlets.validate("head")
    def _valid_head(self, proposal: traitlets.Bunch) -> int | None:
        return self._bounded(proposal, 0, self._meta["n_heads"] - 1)

    @traitlets.validate("concept")
    def _valid_concept(self, proposal: traitlets.Bunch) -> int | None:
        numbers = self._facts.n_concepts.values()
        self._expect(proposal["value"] is None or bool(numbers), "concept", proposal["value"], "None without study=…")
        return self._bounded(proposal, 0, max(numbers, default=1) - 1)

    @traitlets.validate("ticked")
    def _valid_ticked(self, proposal: traitlets.Bunch) -> list[str]:
        value = proposal["value"]
        self._expect(len(value) <= MAX_TICKED, "ticked", f"{len(value)} entries", f"at most {MAX_TICKED}")
        for part in value:
            fits = len(part) <= 24 and PART.fullmatch(part)
            self._expect(bool(fits), "ticked", part[:60], "names of parts: L4.H1, A4, MLP4, N4.123, P36 or C4.7")
        return list(dict.fromkeys(value))

    @traitlets.validate("compared")
    def _valid_compared(self, proposal: traitlets.Bunch) -> str:
        value: str = proposal["value"]
        other = "b" in self._sides
        self._expect(value != "other" or other, "compared", value, "'' or 'edited' without other=…")
        return value

    @traitlets.validate("edits")
    def _valid_edits(self, proposal: traitlets.Bunch) -> list[dict[str, Any]]:
        try:
            return checked(proposal["value"], self._facts)
        except NbtoolkitError as error:
            raise traitlets.TraitError(str(error)) from None

    def _bounded(self, proposal: traitlets.Bunch, low: int, high: int) -> int | None:
        value, name = proposal["value"], proposal["trait"].name
        self._expect(value is None or low <= value <= high, name, value, f"None or {low} … {high}")
        return None if value is None else int(value)

    def _expect(self, condition: bool, name: str, value: Any, rule: str) -> None:
        if not condition:
            raise traitlets.TraitError(f"{name} is {value!r}; expected {rule}.")


def fitting(view: Selection, names: Sequence[str]) -> dict[str, Any]:
    """Values of traits that the view no longer takes, as what they become.

    Parameters
    ----------
    view
        The view, with other facts than those its traits were set with.
    names
        Names of the traits, each of which takes None or an empty list.
    """
    changed: dict[str, Any] = {}
    for name in names:
        value = getattr(view, name)
        try:
            view.traits()[name]._validate(view, value)
        except traitlets.TraitError:
            changed[name] = [] if isinstance(value, list) else None
    return changed
