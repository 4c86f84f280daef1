"""Exceptions of nbtoolkit: one base class, so that ``except NbtoolkitError`` catches every refusal."""


class NbtoolkitError(ValueError):
    """The request cannot be carried out; the message says what was given, what was expected and what to do."""


class DataError(NbtoolkitError):
    """The images or captions cannot be used."""


class ModelError(NbtoolkitError):
    """The model cannot be loaded, or fails a load-time check."""


class TokenError(NbtoolkitError):
    """The token of interest is not where it has to be: in the captions, or in the model's responses."""


class NothingFoundError(TokenError):
    """No sample has the token at the requested position.

    Attributes
    ----------
    responses
        Responses that lack it, the last ones, where a model was asked.
    """

    responses: tuple[str, ...] = ()


class StudyError(NbtoolkitError):
    """A study, folder of shards, page or other file of results is missing, damaged, of another kind, or cannot be written."""


class MethodError(NbtoolkitError):
    """A decomposition, metric or intervention cannot be applied to these values."""


class LayerError(NbtoolkitError):
    """A layer index is of the wrong type, out of range, or not available."""


class Cancelled(NbtoolkitError):  # noqa: N818 - not a fault
    """The caller stopped a run; completed parts remain."""


def first_line(error: BaseException) -> str:
    """First line of an error's text, or its type where the text is empty: what another message can quote.

    Parameters
    ----------
    error
        Any exception.
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class MeasurementError(NbtoolkitError):
    """A measurement whose check fails, so that its numbers are not given."""
