"""Former name of :mod:`nbtoolkit.widgets.messages` and :mod:`nbtoolkit.widgets.thumbnails`."""

from .messages import *  # noqa: F403 - an old import path hands on to the new ones
from .thumbnails import aspect, square, strip

__all__ = ["aspect", "square", "strip"]
