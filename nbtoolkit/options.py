"""Package-wide options: ``nbt.options.locale = "zh-CN"``."""

from __future__ import annotations

from .errors import NbtoolkitError

LOCALES = ("en", "zh-CN")


class Options:
    """Package-wide options.

    Attributes
    ----------
    locale
        Language of the views: ``"en"``, ``"zh-CN"``, or None to follow the browser.
    preview
        Whether a view leaves a small static preview in the notebook, for GitHub and nbconvert (True).

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.options.locale = "zh-CN"
    >>> nbt.options.locale = None
    """

    __slots__ = ("_locale", "preview")

    def __init__(self) -> None:
        self._locale: str | None = None
        self.preview = True

    @property
    def locale(self) -> str | None:
        """Language of views created from now on."""
        return self._locale

    @locale.setter
    def locale(self, value: str | None) -> None:
        if value is not None and value not in LOCALES:
            raise NbtoolkitError(f"locale is {value!r}; expected None or one of {', '.join(map(repr, LOCALES))}.")
        self._locale = value


options = Options()
