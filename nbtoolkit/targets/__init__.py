"""Targets: responses that contain a token, teacher-forced up to it; read, continued from a layer, differentiated.

``nbtoolkit.targets(model, data, word)`` makes them: the package is callable.
"""

import sys
from types import ModuleType

from .making import target
from .making import targets as _targets
from .quantities import QUANTITIES, SATURATED, Quantity
from .responses import mentions
from .roles import other_image
from .target import Target
from .targets import Targets

__all__ = ["QUANTITIES", "SATURATED", "Quantity", "Target", "Targets", "mentions", "other_image", "target"]


class _Callable(ModuleType):
    __call__ = staticmethod(_targets)


sys.modules[__name__].__class__ = _Callable
