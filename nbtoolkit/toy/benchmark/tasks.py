"""Tasks of the benchmark: a word of a captioner, and what makes its concepts hard to learn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ...errors import MethodError
from ..names import SCENES, WORLDS
from ..world import grammar
from ..world.second import vocabulary

STREAMS = ("plain", "rotated", "massive")
EXTRA = ("maps", "causal", "spurious", "senses", "distractors")  # scores that only some tasks have
SPLITS = ("test", "heldout", "shifted")  # of test rows; "shifted" of the second world only
_SUBJECTS = {"first": grammar.SUBJECTS, "second": vocabulary.SUBJECTS}
_MIN_ROWS = 8


@dataclass(frozen=True)
class Task:
    """One task: concepts are learnt from n training rows of a token, and scored on other images.

    Attributes
    ----------
    name
        Name in the table.
    difficulty
        What is hard about it, for the report.
    model, token, layer
        The embedded captioner, the word, and the layer whose states are decomposed.
    n, n_test
        Training rows and test rows.
    n_concepts
        Number of concepts of every learnt method.
    split
        Split of the world that the test rows come from.
    label_noise
        Share of the training rows whose state is that at another animal's word, under the labels of the row, 0 to 1.
    pixel_noise
        Standard deviation of Gaussian noise on the pixels of training and test images, in grey levels (0 to 255).
    distractor
        Spread of the subject's position, which no caption tells, that is added to all states along its true causal direction:
        standard deviation, as a multiple of that of the states about their mean.
    stream
        ``"plain"``; ``"rotated"``: the coordinates of the residual stream are rotated at random; ``"massive"``: two
        coordinates, a thousand times as large as the others, are added, which the head does not read.
    extra
        Costly or special scores that this task has: ``maps``, ``causal``, ``spurious``, ``senses``, ``distractors``.
    replicated
        Whether dictionaries are learnt again from halves of the training rows, for intervals about the method.

    Raises
    ------
    MethodError
        A value that no task can have.

    Examples
    --------
    >>> Task("small", n=20, n_concepts=8).n_concepts
    8
    """

    name: str
    difficulty: str = ""
    model: str = "toy-plain"
    token: str = "dog"
    layer: int = 4
    n: int = 300
    n_test: int = 200
    n_concepts: int = 20
    split: str = "test"
    label_noise: float = 0.0
    pixel_noise: float = 0.0
    distractor: float = 0.0
    stream: str = "plain"
    extra: tuple[str, ...] = ()
    replicated: bool = False

    def __post_init__(self) -> None:
        for field in ("n", "n_test"):
            if getattr(self, field) < _MIN_ROWS:
                raise MethodError(
                    f"{field} of task {self.name!r} is {getattr(self, field)}; expected at least {_MIN_ROWS} rows, so that "
                    "facts are present and absent among them."
                )
        if not 1 <= self.n_concepts <= self.n:
            raise MethodError(
                f"n_concepts of task {self.name!r} is {self.n_concepts}; expected 1 to n = {self.n}, the number of training rows."
            )
        if self.model not in SCENES:
            raise MethodError(f"model of task {self.name!r} is {self.model!r}; expected one of {', '.join(SCENES)}.")
        if self.token not in _SUBJECTS[self.world]:
            raise MethodError(
                f"token of task {self.name!r} is {self.token!r}; expected one of {', '.join(_SUBJECTS[self.world])}, the subjects "
                f"of the {self.world} world."
            )
        if self.split not in SPLITS:
            raise MethodError(f"split of task {self.name!r} is {self.split!r}; expected one of {', '.join(SPLITS)}.")
        if self.stream not in STREAMS:
            raise MethodError(f"stream of task {self.name!r} is {self.stream!r}; expected one of {', '.join(STREAMS)}.")
        if not set(self.extra) <= set(EXTRA):
            raise MethodError(f"extra of task {self.name!r} is {self.extra}; expected scores among {', '.join(EXTRA)}.")
        if not 0 <= self.label_noise < 1 or self.pixel_noise < 0 or self.distractor < 0:
            raise MethodError(
                f"Task {self.name!r} has label_noise {self.label_noise}, pixel_noise {self.pixel_noise} and distractor "
                f"{self.distractor}; expected a share below 1, and numbers of 0 or more."
            )
        if self.world == "first" and (self.distractor or set(self.extra) - {"causal"} or self.split == "shifted"):
            raise MethodError(
                f"Task {self.name!r} has model {self.model!r}; expected a captioner of the second world, such as 'toy-plain': the "
                "first one has no masks, senses, spurious pairs and distractors."
            )

    @property
    def world(self) -> str:
        """``"first"`` or ``"second"``: the world that the captioner was trained on."""
        return WORLDS[SCENES[self.model]]


TASKS: tuple[Task, ...] = (
    Task("first world", "none planted: independent factors, a captioner trained to be nameable", model="toy", extra=("causal",),
         replicated=True),
    Task("second world", "a plain captioner; spurious pair, hierarchy, graded factors, distractors",
         extra=("maps", "causal", "spurious"), replicated=True),
    Task("two senses", "one word, “bat”, for an animal and a club", token="bat", extra=("senses",), replicated=True),
    Task("held-out scenes", "test scenes combine subject, colour and background as no training scene does", split="heldout"),
    Task("n = 75", "few training rows", n=75),
    Task("n = 20", "very few training rows", n=20, n_concepts=8),
    Task("K = 5", "fewer concepts than factors", n_concepts=5),
    Task("K = 60", "twice as many concepts as facts", n_concepts=60),
    Task("label noise", "one training row in five is a state at “cat”", label_noise=0.2),
    Task("pixel noise", "noise of 30 grey levels on every image", pixel_noise=30.0),
    Task("strong distractor", "the subject's position, which no caption tells, has the variance of all facts together",
         distractor=1.0, extra=("distractors",)),
    Task("massive coordinates", "two coordinates of a thousand times the typical size", stream="massive"),
    Task("rotated stream", "the coordinates of the residual stream are rotated", stream="rotated"),
)  # fmt: skip


def quick_tasks() -> tuple[Task, ...]:
    """Two small tasks, for a first look: the first and the second world with 100 training rows, without replicates."""
    return tuple(replace(task, n=100, n_test=80, replicated=False) for task in TASKS[:2])


def check_tasks(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """Tasks whose names differ.

    Parameters
    ----------
    tasks
        The tasks.

    Raises
    ------
    MethodError
        There is none, or two have one name.
    """
    rows = tuple(tasks)
    names = [task.name for task in rows]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if not rows or repeated:
        raise MethodError(f"The tasks are named {names}; expected at least one, with names that differ.")
    return rows
