"""The sides of an Inspector: the first, a second one to compare with, and their responses to other questions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping

from ..errors import MethodError
from ..strict_json import encodable
from .inspector_side import Side

N_RESPONSES = 6  # in memory


class Sides(Mapping[str, Side]):
    """Sides by name: ``"a"``, and ``"b"`` where there is a second one.

    Parameters
    ----------
    first, second
        The sides.
    follows
        Whether the second is asked what the first is asked.
    """

    def __init__(self, first: Side, second: Side | None = None, *, follows: bool = False) -> None:
        self._sides = {"a": first} | ({} if second is None else {"b": second})
        self._follows = follows
        self._asked = OrderedDict({(name, side.question): side for name, side in self._sides.items()})
        self._mirror: tuple[Side, Side, Side] | None = None

    def __getitem__(self, name: str) -> Side:
        own = "a" if name == "edited" else name
        if own not in self._sides:
            have = ", ".join(repr(side) for side in (*self._sides, "edited"))
            raise MethodError(f"side is {name[:80]!r}; expected one of {have}. Give other=… for a second one.")
        return self._sides[own]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sides)

    def __len__(self) -> int:
        return len(self._sides)

    def of(self, name: str, key: str) -> Side:
        """The side on which a word is read: where b's response lacks it, the response of a on b's image and question.

        Parameters
        ----------
        name
            ``"a"``, ``"b"``, or ``"edited"``, which is a.
        key
            Key of the word.

        Raises
        ------
        MethodError
            There is no such side.
        """
        own, first = self[name], self._sides["a"]
        if name != "b" or key in own.words or key not in first.words:
            return own
        if self._mirror is None or self._mirror[:2] != (own, first):
            self._mirror = own, first, Side(own.model, own.image, own.question, first.response)
        return self._mirror[2]

    def opposite(self, name: str) -> Side | None:
        """The other side where it is of the same model; None where there is none.

        Parameters
        ----------
        name
            As for :meth:`of`.
        """
        own, other = self[name], self._sides.get("a" if name == "b" else "b")
        return other if other is not None and other.model is own.model else None

    def ask(self, question: str, key: str) -> str:
        """Ask another question; the last six responses stay in memory.

        Parameters
        ----------
        question
            The question; empty for the model's own.
        key
            Key of the target.

        Returns
        -------
        str
            Key of the target in the new response of a: the same word where it is there.

        Raises
        ------
        NbtoolkitError
            The model takes no question, or answers without a word; the sides are as before.
        """
        question = encodable(question.strip()) or self._sides["a"].model.prompt
        names = [name for name in self._sides if name == "a" or self._follows]
        new = {name: self._answered(name, question) for name in names}
        new_key = key if key in new["a"].words else new["a"].default_word()
        for side in new.values():
            _ = side.whole.recording  # refused now, where it is too long
        for name, side in new.items():
            if self._sides[name] is not side:
                self._sides[name].release()
        self._sides |= new
        return new_key

    def _answered(self, name: str, question: str) -> Side:
        place, old = (name, question), self._sides[name]
        if place not in self._asked:
            self._asked[place] = Side(old.model, old.image, question)
            while len(self._asked) > N_RESPONSES:
                self._asked.popitem(last=False)
        self._asked.move_to_end(place)
        return self._asked[place]
