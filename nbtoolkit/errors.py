"""What nbtoolkit raises: one base class, so that ``except NbtoolkitError`` catches every refusal."""


class NbtoolkitError(ValueError):
    """Something that was asked for cannot be done; the message says what was given, expected and to be done."""


class DataError(NbtoolkitError):
    """The pictures or captions cannot be used."""


class ModelError(NbtoolkitError):
    """The model cannot be loaded, or fails a load-time check."""


class TokenError(NbtoolkitError):
    """The token of interest is not where it has to be: in the captions, or in what the model says."""


class NothingFoundError(TokenError):
    """Pictures were read, and in none of them the token is where it was looked for."""


class StudyError(NbtoolkitError):
    """A study folder is missing, damaged, or not a study."""


class MethodError(NbtoolkitError):
    """A decomposition cannot be applied to these representations."""


class Cancelled(NbtoolkitError):  # noqa: N818 - it is no fault
    """The caller stopped a run; what was finished is kept."""


def first_line(error: BaseException) -> str:
    """First line of an error's text, or its type where it has none: what another message can quote."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
