"""Benchmark on the embedded worlds: methods that learn concepts, scored against the truth, with floors and ceilings.

``run({"mine": MyTransformer()})`` scores a method of yours beside floors and ceilings; ``run()`` the default methods.
``write_report`` writes a page and a tidy table.
"""

from .candidates import methods
from .report import unsolved, write_report
from .results import METRICS, Metric, Results
from .running import run
from .tasks import TASKS, Task, quick_tasks

__all__ = ["METRICS", "TASKS", "Metric", "Results", "Task", "methods", "quick_tasks", "run", "unsolved", "write_report"]
