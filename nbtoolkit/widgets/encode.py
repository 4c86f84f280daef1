"""Former home of :func:`nbtoolkit.widgets.thumbnails.square`."""

from .thumbnails import square

__all__ = ["square"]
