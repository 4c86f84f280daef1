"""A check of a model, and the report of several."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check of a model.

    Attributes
    ----------
    what
        The property that should hold.
    ok
        Whether it does.
    detail
        The figure behind it.
    refusal
        The reason to refuse the model if it does not hold; empty for checks that refuse no model.
    note
        Whether it only describes the model: a report is ok without it.
    """

    what: str
    ok: bool
    detail: str
    refusal: str = ""
    note: bool = False


@dataclass(frozen=True)
class Report:
    """Checks of a model; prints as a table.

    Attributes
    ----------
    model
        The model in one line.
    checks
        Its checks, in order.
    prompt
        The rendered prompt that it was checked with.
    """

    model: str
    checks: tuple[Check, ...]
    prompt: str = ""

    @property
    def ok(self) -> bool:
        """Whether every check holds; a note need not."""
        return all(c.ok or c.note for c in self.checks)

    def __repr__(self) -> str:
        width = max(len(c.what) for c in self.checks)
        return "\n".join(
            [
                self.model,
                f"  prompt  {self.prompt!r}",
                *(
                    f"  {'ok ' if c.ok else '-  ' if c.note else 'NO '}  {c.what:{width}s}  {c.detail}"
                    for c in self.checks
                ),
            ]
        )
