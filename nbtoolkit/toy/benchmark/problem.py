"""One task with its data: every method, floor and ceiling is scored on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import MethodError
from ...naming import choose_naming
from ...text.words import contains
from ...types import Representations, Score
from ..world import grammar
from ..world.second import vocabulary
from . import oracles
from .candidates import FLOORS, fitting
from .causal import selectivity
from .data import Loader
from .dictionaries import Candidate, Reader, half, learn
from .maps import Patches, centre_prior, localisation, patches_of
from .planted import GRADED, distractors, graded, senses, spurious
from .results import METRICS, pool, row_of
from .rows import Rows
from .scores import Truth, cosine, fact_scores, margin, undefined, word_scores
from .streams import Stream, stream_of
from .tasks import Task
from .truth import areas, assignment, causal_directions, group_labels, groups_of

Array = np.ndarray
_MEANING = {"first": grammar.WORDS, "second": vocabulary.WORDS}
_PAIR = (("prop", "frisbee"), ("background", "grass"))
_N_DRAWS = 5  # of the random floors
_N_MAPS, _N_MAPS_TRAIN, _N_SHIFTED = 60, 100, 200  # images
_WORD_SCORES = ("naming", "coverage", "precision", "level", "distractors", "selectivity")


@dataclass(frozen=True, eq=False)
class Problem:
    """One task with its data: what every method is scored on.

    Attributes
    ----------
    task
        The task.
    truth
        Training rows, test rows, facts.
    reader
        Reads the words of directions.
    stream
        From the model's states to those that are decomposed, and back.
    random_state
        Seed of the methods.
    shifted
        Rows where the spurious pair comes apart; None where the task has no such score.
    maps, maps_train
        Patches of test images, and of training images for the ceiling; None where the task has no such score.
    directions
        Causal directions of the other half of the edited scenes, for the ceiling; None without edits.
    """

    task: Task
    truth: Truth
    reader: Reader
    stream: Stream
    random_state: int = 0
    shifted: Rows | None = None
    maps: Patches | None = None
    maps_train: Patches | None = None
    directions: Array | None = None

    @classmethod
    def of(cls, task: Task, loader: Loader, random_state: int) -> Problem:
        """The problem of a task.

        Parameters
        ----------
        task
            The task.
        loader
            Reads its rows.
        random_state
            Seed.

        Raises
        ------
        MethodError
            No fact varies among the rows.
        """
        train, test, model = loader.train(task), loader.test(task), loader.model
        groups = groups_of(train.factors, test.factors)
        if not groups:
            raise MethodError(
                f"No fact varies among the {len(train)} training rows and {len(test)} test rows of task {task.name!r}; "
                "expected facts that at least 5 test rows show and 5 do not. Use more rows."
            )
        meaning = {w: fact for w, fact in _MEANING[task.world].items() if fact != ("subject", task.token)}
        layer = train.reps.resolve(task.layer)
        halves: list[Array | None] = [None, None]
        if task.world == "second":
            index, edits = train.reps.layers.index(layer), loader.edits(task.token)
            halves = [causal_directions(edits, groups, index, part) for part in (0, 1)]
        truth = Truth(train, test, layer, groups, meaning, halves[0])
        clean = loader.rows(task.token, task.n, "train")
        reader = Reader(model, frozenset(meaning), choose_naming("auto", model, clean.reps))
        maps: list[Patches | None] = [None, None]
        if "maps" in task.extra and task.world == "second":
            scenes = test.scenes[:_N_MAPS], train.scenes[:_N_MAPS_TRAIN]
            maps = [patches_of(model, part, groups, layer) for part in scenes]
        shifted = loader.rows(task.token, _N_SHIFTED, "shifted") if "spurious" in task.extra else None
        stream = stream_of(task, train.reps.layer(layer), random_state)
        return cls(task, truth, reader, stream, random_state, shifted, maps[0], maps[1], halves[1])

    def of_method(
        self, name: str, kind: str, method: Any, n_replicates: int, notes: dict[tuple[str, str], str]
    ) -> list[dict[str, Any]]:
        """Rows of the table of one method.

        Parameters
        ----------
        name, kind, method
            Name, kind and transformer.
        n_replicates
            Dictionaries that are learnt again.
        notes
            Filled: what the method warned of, or why it was refused.
        """
        reps, key = self.truth.train.reps, (self.task.name, name)
        try:
            candidate = self._learn(method, reps, self.random_state)
        except MethodError as error:
            notes[key] = f"refused: {error}"
            return [row_of(*key, kind, metric, undefined(metric)) for metric in METRICS]
        if candidate.warnings:
            notes[key] = "; ".join(candidate.warnings)
        scores = self.scores(candidate, costly=True)
        again: list[dict[str, Score]] = []
        rng = np.random.default_rng([self.random_state, 9])
        for i in range(n_replicates):
            try:
                part = self._learn(method, half(reps, rng), self.random_state + 1 + i)
                whole = replace(part, train=part.encode(reps.layer(self.truth.layer)))
                again.append(self.scores(whole, costly=False))
            except MethodError as error:
                notes[key] = f"{notes.get(key, '')} a replicate was refused: {error}".strip()
        return [row_of(*key, kind, m, s, [one[m] for one in again if m in one]) for m, s in scores.items()]

    def _learn(self, method: Any, reps: Representations, seed: int) -> Candidate:
        n_concepts = min(self.task.n_concepts, len(reps))
        return learn(fitting(method, n_concepts, seed), reps, self.truth.layer, self.reader, self.stream)

    def scores(self, candidate: Candidate, *, costly: bool) -> dict[str, Score]:
        """Scores of concepts; those that the task does not have are undefined.

        Parameters
        ----------
        candidate
            The concepts.
        costly
            Also causal selectivity, which runs the model.
        """
        task, truth = self.task, self.truth
        V = candidate.encode(truth.test.reps.layer(truth.layer))
        if not np.ptp(V, axis=0).any():  # no concept is used
            return {name: undefined(name) for name in METRICS if costly or name != "selectivity"}
        concept = assignment(areas(candidate.train, group_labels(truth.groups, truth.train.factors)))
        result = word_scores(candidate, truth, V) | fact_scores(candidate, truth, V, concept)
        result |= {"margin": margin(truth, V, concept), "cosine": cosine(candidate, truth, concept)}
        result |= {name: undefined(name) for name in ("pointing", "iou", "spurious", "senses", "distractors")}
        result["graded"] = graded(truth, candidate.train, V)
        if "distractors" in task.extra:
            result["distractors"] = distractors(candidate, truth, V)
        if "senses" in task.extra:
            result["senses"] = senses(truth, candidate.train, V)
        if self.shifted is not None:
            shifted = candidate.encode(self.shifted.reps.layer(truth.layer))
            result["spurious"] = spurious(truth, self.shifted, shifted, concept, _PAIR)
        if self.maps is not None:
            result |= localisation(self.maps, candidate.directions("maps", truth.mean), concept)
        if costly:
            result["selectivity"] = undefined("selectivity")
            if "causal" in task.extra:
                result["selectivity"] = selectivity(
                    self.reader.model, truth, candidate, V, world=task.world, random_state=self.random_state
                )
        return {name: result[name] for name in METRICS if name in result}

    def floors(self) -> list[dict[str, Any]]:
        """Rows of the table of the floors: random directions, raw states, a constant word, and a centre prior for maps.

        Random directions and raw states are drawn five times.
        """
        rows: list[dict[str, Any]] = []
        for name, method in FLOORS.items():
            draws = [self._learn(method, self.truth.train.reps, self.random_state + i) for i in range(_N_DRAWS)]
            scored = [self.scores(candidate, costly=i == 0) for i, candidate in enumerate(draws)]
            rows += [
                row_of(self.task.name, name, "floor", m, pool([one[m] for one in scored if m in one]))
                for m in scored[0]
            ]
        raw = self._learn(FLOORS["raw states"], self.truth.train.reps, self.random_state)
        constant = self.scores(raw.with_words([[self._frequent_word()]] * len(raw.words)), costly=True)
        rows += [
            row_of(self.task.name, "constant word", "floor", m, constant[m]) for m in _WORD_SCORES if m in constant
        ]
        if self.maps is not None:
            prior = centre_prior(self.maps)
            rows += [row_of(self.task.name, "centre prior", "floor", m, s) for m, s in prior.items()]
        return rows

    def ceilings(self) -> list[dict[str, Any]]:
        """Rows of the table of the ceilings: the true causal directions as a dictionary, and the labels as a teacher."""
        task, truth = self.task, self.truth
        states = truth.train.reps.layer(truth.layer)
        rows: list[dict[str, Any]] = []
        if self.directions is not None:
            true = oracles.true_directions(states, self.directions, truth.layer, self.reader)
            scores = self.scores(true, costly=True)
            rows += [row_of(task.name, "true directions", "ceiling", m, s) for m, s in scores.items()]
        maps = self.maps_train
        patches = None if maps is None else oracles.patch_directions(list(maps.states), list(maps.visible), maps.truth)
        teacher = oracles.supervised(states, truth.train_labels, truth.groups, self.reader, truth.meaning, patches)
        scores = self.scores(teacher, costly=True)
        test = truth.test.reps.layer(truth.layer)
        numbers = [truth.train.numbers(name) for name in GRADED]
        if all(n is not None for n in numbers):
            fit = oracles.regression(states, oracles.normal_scores(np.stack([n for n in numbers if n is not None], 1)))
            scores["graded"] = graded(truth, fit.train, fit.encode(test))
        if "senses" in task.extra:
            names = sorted({row["sense"] for row in truth.train.factors})
            own = np.array([[row["sense"] == name for name in names] for row in truth.train.factors], float)
            fit = oracles.regression(states, own)
            scores["senses"] = senses(truth, fit.train, fit.encode(test))
        return rows + [row_of(task.name, "supervised", "ceiling", m, s) for m, s in scores.items()]

    def _frequent_word(self) -> str:
        """The fact's word that the captions of the most training images contain."""
        texts = self.truth.train.reps.references
        named = [word for word, fact in self.truth.meaning.items() if any(fact in g.facts for g in self.truth.groups)]
        count: Counter[str] = Counter()
        for word in named:
            count[word] = sum(any(contains(word, text) for text in row) for row in texts)
        return min(named, key=lambda word: (-count[word], word))
