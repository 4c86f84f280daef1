"""What is measured of a target token: its log-probability, its logit, or its logit difference to a foil."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import MethodError

QUANTITIES = ("log_prob", "logit", "logit_difference")
UNITS = {"log_prob": "nats", "logit": "logits", "logit_difference": "nats"}
SATURATED = 0.9  # probability above which a change of log p has little room: log .9 = -.11 nats


@dataclass(frozen=True)
class Quantity:
    """What is measured of every target; from :meth:`nbtoolkit.targets.Targets.quantity`.

    A word of several pieces has the sum of its pieces' log-probabilities, or of their logits. A logit difference is at the
    piece where the word and the foil part; there, it equals the difference of their log-probabilities, in nats.

    Attributes
    ----------
    kind
        ``"log_prob"``, ``"logit"`` or ``"logit_difference"``.
    foils
        The foil of each target; empty for the other kinds.
    probability
        Median probability of the token over the targets, 0 to 1; NaN where it was not read.
    switched
        Whether the kind is the default for a saturated log-probability.
    parting
        Per target the index of the piece where the word and the foil part, and the id of the foil's piece.
    """

    kind: str = "log_prob"
    foils: tuple[str, ...] = ()
    probability: float = float("nan")
    switched: bool = False
    parting: tuple[tuple[int, int], ...] = ()

    @property
    def unit(self) -> str:
        """Unit of the quantity: nats, or logits."""
        return UNITS[self.kind]

    @property
    def foil(self) -> str:
        """The foil of all targets; empty where they have none or several."""
        return self.foils[0] if len(set(self.foils)) == 1 else ""

    def __str__(self) -> str:
        if self.kind == "logit_difference":
            return f"logit difference to {self.foil!r}" if self.foil else "logit difference to the strongest competitor"
        return {"log_prob": "log p", "logit": "logit"}[self.kind]

    @property
    def note(self) -> str:
        """Why the default is the logit difference, as a sentence; empty where it is not."""
        if not self.switched:
            return ""
        return (
            f"The log-probability is saturated (median p = {self.probability:.4f}, above {SATURATED}), so the "
            "logit difference to a foil is attributed."
        )


def check_kind(kind: str, foil: str | None) -> None:
    """Refuse an unknown quantity, and a foil where there is no place for one.

    Parameters
    ----------
    kind, foil
        As for :meth:`nbtoolkit.targets.Targets.quantity`.

    Raises
    ------
    MethodError
        The value and what was expected.
    """
    if kind not in ("auto", *QUANTITIES):
        raise MethodError(f"quantity is {kind!r}; expected 'auto', {', '.join(map(repr, QUANTITIES))}.")
    if foil is None:
        return
    if not isinstance(foil, str) or not foil.strip():
        raise MethodError(f"foil is {foil!r}; expected a word to compare the token with, such as 'cat'.")
    if kind not in ("auto", "logit_difference"):
        raise MethodError(
            f"foil is {foil!r} with quantity={kind!r}; expected quantity='logit_difference', or no foil. Leave one out."
        )
