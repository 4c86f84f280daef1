"""``run``: every method on every task, with floors and ceilings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...models import load_model
from ...types.arguments import checked
from ...types.rules import Number
from .attribution_maps import attribution_maps
from .candidates import choose_methods
from .data import Loader
from .problem import Problem
from .results import Results, tidy
from .tasks import TASKS, Task, check_tasks, quick_tasks

N_REPLICATES = 5


@checked
def run(
    methods: Mapping[str, Any] | Sequence[Any] | None = None,
    *,
    tasks: Sequence[Task] | None = None,
    quick: bool = False,
    n_replicates: Number = N_REPLICATES,
    n_maps: Number = 0,
    random_state: int = 0,
    cache: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Results:
    """Score methods that learn concepts against the truth of the embedded worlds.

    Parameters
    ----------
    methods
        Name to scikit-learn transformer, for example ``{"mine": MyTransformer()}``; or names and transformers in a list;
        those of :func:`nbtoolkit.toy.benchmark.methods` if None. The task sets the number of concepts and the random
        state of those that have one. A method needs a decoder: see :func:`nbtoolkit.decompose`.
    tasks
        The tasks; those of ``nbtoolkit.toy.benchmark.TASKS`` if None.
    quick
        In place of ``tasks``: two small ones, without replicates.
    n_replicates
        For tasks that are replicated: dictionaries that are learnt again, with other seeds from random halves of the
        training rows, so that intervals are about the method; 0 for none.
    n_maps
        Images for the table of attribution maps, :func:`nbtoolkit.toy.benchmark.attribution_maps`; 0 leaves it out.
    random_state
        Seed of scenes, methods, replicates and streams; the same seed gives the same table.
    cache
        Folder of the states that were read; a second run finds them there.
    progress
        Called with a line of text at each step.

    Returns
    -------
    Results
        ``results.table`` is tidy; :func:`write_report` writes a page and a CSV.

    Raises
    ------
    MethodError
        An unknown method, a name twice, a task that cannot be, or a negative number of replicates.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> task = nbt.toy.benchmark.Task("few rows", model="toy", n=30, n_test=30, n_concepts=4)
    >>> results = nbt.toy.benchmark.run({"mine": nbt.SemiNMF()}, tasks=[task])
    >>> results.table.method.unique().tolist()
    ['mine', 'random directions', 'raw states', 'constant word', 'supervised']
    """
    selection = choose_methods(methods)
    rows: list[dict[str, Any]] = []
    notes: dict[tuple[str, str], str] = {}
    counts: dict[str, tuple[int, int, int]] = {}
    loaders: dict[str, Loader] = {}
    given = check_tasks(tasks if tasks is not None else quick_tasks() if quick else TASKS)
    for task in given:
        if task.model not in loaders:
            loaders[task.model] = Loader(load_model(task.model), task.world, random_state, cache, progress)
        problem = Problem.of(task, loaders[task.model], random_state)
        counts[task.name] = len(problem.truth.train), len(problem.truth.test), len(problem.truth.groups)
        for name, method in selection.items():
            if progress is not None:
                progress(f"{task.name}: {name}")
            rows += problem.of_method(name, "method", method, n_replicates if task.replicated else 0, notes)
        if progress is not None:
            progress(f"{task.name}: floors and ceilings")
        rows += problem.floors() + problem.ceilings()
    maps = attribution_maps(n=n_maps, random_state=random_state, progress=progress) if n_maps else None
    return Results(given, tidy(rows), notes, counts, maps)
