"""States of a token with the truth about their scenes: training rows, test rows, and scenes drawn again with one factor changed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from PIL import Image

from ...extraction import extract
from ...files import user_path
from ...models.adapter import Model
from ...types import Representations
from ..world.scenes import scenes_with
from ..world.second.scenes import render
from ..world.second.vocabulary import DOMAIN, NUMBERS
from .rows import Rows, subset
from .tasks import Task

Array = np.ndarray
_SPARE = 1.15  # scenes per row: in some the model says another word
_N_EDITED = 24  # scenes that are drawn again
_ENDS = (0.1, 0.9)  # of a number that is edited
_EDITS = 1000  # added to the random state: no edited scene is a test scene


@dataclass
class Loader:
    """Reads rows of one model; what two tasks share is read once.

    Parameters
    ----------
    model
        The captioner.
    world
        The world of its scenes.
    random_state
        Seed of scenes and pixel noise.
    cache
        Folder of the shards of extractions; None: nothing is stored.
    progress
        Called with a line of text before each extraction.
    """

    model: Model
    world: str
    random_state: int = 0
    cache: str | os.PathLike[str] | None = None
    progress: Callable[[str], None] | None = None
    _rows: dict[tuple[Any, ...], Rows] = field(default_factory=dict, init=False)
    _edits: dict[str, dict[tuple[str, str], dict[int, Array]]] = field(default_factory=dict, init=False)

    def train(self, task: Task) -> Rows:
        """Training rows of a task; with label noise, some have the state of another row, at another word.

        Parameters
        ----------
        task
            The task.
        """
        rows = self._distracted(self.rows(task.token, task.n, "train", task.pixel_noise), task)
        n_wrong = round(task.label_noise * len(rows))
        if not n_wrong:
            return rows
        rng = np.random.default_rng([self.random_state, 5])
        wrong = rng.permutation(len(rows))[:n_wrong]
        other = self.rows("cat" if task.token != "cat" else "dog", n_wrong, "train", task.pixel_noise)
        states = np.array(rows.reps.states)
        states[wrong[: len(other)]] = other.reps.states
        return Rows(subset(rows.reps, range(len(rows)), states), rows.scenes)

    def test(self, task: Task) -> Rows:
        """Test rows of a task.

        Parameters
        ----------
        task
            The task.
        """
        return self._distracted(self.rows(task.token, task.n_test, task.split, task.pixel_noise), task)

    def _distracted(self, rows: Rows, task: Task) -> Rows:
        """Rows whose states vary more with the subject's position, along its causal direction, at the task's layer."""
        position = rows.numbers("position") if task.distractor else None
        if position is None:
            return rows
        edits, index = self.edits(task.token), rows.reps.layers.index(rows.reps.resolve(task.layer))
        near, far = (edits["position", str(end)] for end in _ENDS)
        direction = np.mean([(far[i] - near[i])[index] for i in near if i in far], 0)
        direction = direction / np.linalg.norm(direction)
        reference = self.rows(task.token, task.n, "train", task.pixel_noise)
        spread = np.sqrt(reference.reps.states[:, index].var(0).sum())
        numbers = reference.numbers("position")
        z = (position - np.mean(numbers)) / np.std(numbers) if numbers is not None else position
        states = np.array(rows.reps.states)
        states[:, index] += task.distractor * spread * z[:, None] * direction
        return Rows(subset(rows.reps, range(len(rows)), states), rows.scenes)

    def rows(self, token: str, n: int, split: str, pixel_noise: float = 0.0) -> Rows:
        """Rows of a token whose scenes have one subject, of which the model speaks.

        Parameters
        ----------
        token, split, pixel_noise
            As for :class:`Task`.
        n
            Number of rows; fewer where the model says another word more often than expected.

        Raises
        ------
        MethodError
            The model says the word of no scene.
        """
        key = (token, split, pixel_noise)
        if len(self._rows.get(key, ())) < n:
            n_scenes = int(np.ceil(n * _SPARE))
            scenes = scenes_with(n_scenes, self.random_state, split, self.world, subject=token, count="one")
            if pixel_noise:
                scenes = [{**s, "image": self._noisy(s["image"], pixel_noise, i)} for i, s in enumerate(scenes)]
            name = f"{token}-{split}-{pixel_noise:g}-{n_scenes}-{self.random_state}"
            reps = self.extract(scenes, token, name)
            by_id = {scene["id"]: scene for scene in scenes}
            self._rows[key] = Rows(reps, tuple(by_id[i] for i in reps.sample_ids))
        return self._rows[key].first(n)

    def edits(self, token: str) -> dict[tuple[str, str], dict[int, Array]]:
        """States of scenes of the second world that were drawn again with one factor changed.

        Parameters
        ----------
        token
            The word: the subject of the scenes.

        Returns
        -------
        dict
            (factor or number, value) to number of the scene to its states (n_layers + 1, d_model). A scene whose
            response has not the word is absent.
        """
        if token not in self._edits:
            scenes = scenes_with(
                4 * _N_EDITED, self.random_state + _EDITS, "test", self.world, subject=token, count="one"
            )
            base = [s for s in scenes if s["factors"]["place"] == "outdoors"][:_N_EDITED]
            rows = [
                {"id": f"{i}|{name}|{value}", "image": render(scene, **changes), "captions": [f"a {token}"]}
                for i, scene in enumerate(base)
                for name, value, changes in _changes(scene)
            ]
            reps = self.extract(rows, token, f"{token}-edits-{self.random_state}")
            result: dict[tuple[str, str], dict[int, Array]] = {}
            for name_of_row, states in zip(reps.sample_ids, reps.states, strict=True):
                number, name, value = name_of_row.split("|")
                result.setdefault((name, value), {})[int(number)] = states
            self._edits[token] = result
        return self._edits[token]

    def extract(self, scenes: Sequence[Mapping[str, Any]], token: str, name: str) -> Representations:
        """Representations of a token in given scenes.

        Parameters
        ----------
        scenes
            With ``id``, ``image`` and ``captions``.
        token
            The word.
        name
            Name of the folder of its shards, in the cache.
        """
        if self.progress is not None:
            self.progress(f"{self.model.name}, {token}: reading {len(scenes)} images ({name})")
        text = datasets.Value("string")
        features = datasets.Features({"id": text, "image": datasets.Image(), "captions": datasets.List(text)})
        data = datasets.Dataset.from_dict({k: [s[k] for s in scenes] for k in features}, features=features)
        out = (
            None
            if self.cache is None
            else user_path(self.cache) / re.sub(r"[^\w.-]", "-", f"{Path(self.model.name).name}-{name}")
        )
        return extract(self.model, data, token, out=out, progress=False)

    def _noisy(self, image: Image.Image, deviation: float, i: int) -> Image.Image:
        pixels = np.asarray(image, np.float32)
        noise = np.random.default_rng([self.random_state, 6, i]).normal(0, deviation, pixels.shape)
        return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def _changes(scene: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Edits of a scene: factor or number, value, and the changes that make it so."""
    facts = scene["factors"]
    domain = DOMAIN[facts["subject"], facts["sense"]]
    rows: list[tuple[str, str, dict[str, Any]]] = []
    for factor in ("colour", "action", "prop"):
        rows += [(factor, value, {factor: value}) for value in domain[factor]]
    rows += [("background", value, {"background": value, "weather": "none"}) for value in domain["background"]]
    rows += [("weather", value, {"weather": value}) for value in ("none", "sunny", "night", "rain")]
    return rows + [(name, str(value), {name: value}) for name in NUMBERS for value in _ENDS]
