"""Benchmark on the embedded worlds: methods that learn concepts, scored against the truth, with floors and ceilings.

``run({"mine": MyTransformer()})`` scores a method of yours beside floors and ceilings; ``run()`` the default methods.
``attribution_maps()`` scores maps of words against the pixels that show them.
``write_report`` writes a page and a tidy table.
"""

from .attribution_maps import MAP_METRICS, N_IMAGES, attribution_maps
from .candidates import methods
from .report import unsolved, write_report
from .results import METRICS, Metric, Results
from .running import run
from .tasks import TASKS, Task, quick_tasks

__all__ = [
    "MAP_METRICS",
    "METRICS",
    "N_IMAGES",
    "TASKS",
    "Metric",
    "Results",
    "Task",
    "attribution_maps",
    "methods",
    "quick_tasks",
    "run",
    "unsolved",
    "write_report",
]
