"""Facts that a caption states, in either world."""

from __future__ import annotations

from ...errors import DataError
from ...types.arguments import checked
from . import grammar
from .second import grammar as second


@checked
def parse(caption: str, world: str = "first") -> dict[str, str]:
    """Parse the factors that a caption states.

    Parameters
    ----------
    caption
        Any text; words outside the vocabulary are ignored. If two words state the same factor, the first one counts.
    world
        ``"first"`` or ``"second"``, whose captions state factors of two levels ("snow" implies "outdoors").

    Returns
    -------
    dict
        Factor to value; a factor that the caption does not state is absent. The number of the noun states ``count``.

    Raises
    ------
    DataError
        Unknown world.

    Examples
    --------
    >>> parse("two bats flying over a river", world="second")["place"]
    'outdoors'
    """
    if world not in ("first", "second"):
        raise DataError(f"world is {world!r}; expected one of first, second.")
    return grammar.parse(caption) if world == "first" else second.parse(caption)
