"""Settings of the evaluation: as printed in the paper, as in the authors' code, and nbtoolkit's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..decomposition import SemiNMF
from ..errors import MethodError
from ..grounding import WordFilter


@dataclass(frozen=True)
class Settings:
    """What the three variants of the evaluation do differently.

    The number of concepts (20), the layer (the last one) and the number of scored words (10) are the same in all of them.

    Attributes
    ----------
    name
        Name of the variant.
    alpha
        λ of Semi-NMF in ‖Z − VU‖² + λ‖V‖₁, or ``"auto"``.
    naming
        Naming rule, as for :func:`nbtoolkit.ground`.
    filter
        Word filter, as for :func:`nbtoolkit.ground`.
    n_words
        Largest number of words per concept, of which the overlap is computed.

    References
    ----------
    Parekh et al. 2024, sections 3.2, 3.3 and 4; the authors' code, github.com/mshukor/xl-vlms, whose λ follows from the
    halved loss of scikit-learn's ``DictionaryLearning(alpha=1)``.

    Examples
    --------
    >>> SETTINGS["released"].semi_nmf().alpha
    2.0
    """

    name: str
    alpha: float | str
    naming: str
    filter: str | WordFilter
    n_words: int

    def semi_nmf(self) -> SemiNMF:
        """Semi-NMF with the λ of these settings, of 20 concepts."""
        return SemiNMF(20, alpha=self.alpha)


SETTINGS = {
    "paper": Settings("paper", 1.0, "paper", "paper", 15),
    "released": Settings("released", 2.0, "paper", "xl-vlms", 10),
    "nbtoolkit": Settings("nbtoolkit", "auto", "auto", "default", 15),
}
MEANING = {
    "paper": "as printed in the paper",
    "released": "as in the authors' code, xl-vlms",
    "nbtoolkit": "the defaults of nbtoolkit",
}
_FILTERS = {
    "paper": "among 15 tokens, fragments too",
    "xl-vlms": "among 50 tokens, fragments too",
    "default": "among 200 tokens, whole words",
}


def settings_of(settings: str | Settings) -> Settings:
    """Settings by name.

    Parameters
    ----------
    settings
        ``"paper"``, ``"released"``, ``"nbtoolkit"``, or settings of one's choice, which are given back.

    Raises
    ------
    MethodError
        There are no settings of that name.

    Examples
    --------
    >>> settings_of("paper").alpha
    1.0
    """
    if isinstance(settings, Settings):
        return settings
    if settings not in SETTINGS:
        raise MethodError(f"settings is {settings!r}; expected one of {', '.join(map(repr, SETTINGS))}.")
    return SETTINGS[settings]


def changes(settings: Settings) -> list[tuple[str, list[str]]]:
    """What each variant sets, as rows: the setting, and its value in these settings and in the three that have a name.

    Parameters
    ----------
    settings
        Settings of a run.

    Examples
    --------
    >>> changes(SETTINGS["paper"])[0]
    ('λ of Semi-NMF', ['1.0', '1.0', '2.0', 'auto: 0.2 × mean norm of the states'])
    """
    columns = (settings, *SETTINGS.values())
    return [
        ("λ of Semi-NMF", [_alpha(s.alpha) for s in columns]),
        ("naming rule", ["auto: measured on the model" if s.naming == "auto" else s.naming for s in columns]),
        ("words that count", [_filter(s.filter) for s in columns]),
        ("words per concept, at most", [str(s.n_words) for s in columns]),
    ]


def _alpha(alpha: Any) -> str:
    return "auto: 0.2 × mean norm of the states" if alpha == "auto" else str(alpha)


def _filter(rule: str | WordFilter) -> str:
    return _FILTERS.get(rule, rule) if isinstance(rule, str) else rule.name
