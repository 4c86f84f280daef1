"""Import path of release 0.1 for :func:`nbtoolkit.models.inference.fitting_threads`."""

from .inference import fitting_threads as fitting_threads
