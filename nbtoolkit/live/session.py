"""A session: one model and one study behind the views. It runs operations, one at a time, which return plain data."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..data.images import read_image, thumbnail
from ..data.loading import captioned, rows_by_id
from ..errors import NbtoolkitError
from ..interventions.means import mean_contributions
from ..models.adapter import Model
from ..models.budget import limited
from ..storage.study import Sample, Study
from ..targets import Targets
from .directions import checked_directions
from .inspecting import Inspecting
from .registry import OPERATIONS, Operation, run
from .responses import hold, respond, responses

MAX_SIDE = 1024  # pixels: longer side of an image outside the study
N_PHOTOGRAPHS = 64  # images outside the study that are held
N_MEAN = 16  # images of which the mean contributions are taken


class Session(Inspecting):
    """One model and one study; see :mod:`nbtoolkit.live.operations` for what a view may ask.

    Parameters
    ----------
    model
        The model that the study was made with.
    study
        The study. Where ``data`` is not given, its thumbnails of at most 256 pixels are the images.
    data
        The data set of the study, for the images in full.
    prompt
        The prompt of the study, if it was not the model's default.
    directions
        Name to vector (d_model,), which edits can steer by.

    Attributes
    ----------
    study
        The study, with the layers that were added meanwhile.
    image
        The image outside the study that Python gave last, as JPEG, or None.
    photographs
        Images outside the study that a view has lent the session, by id: every operation takes them as samples.
    memory
        The last 32 responses, by sample.
    variants
        Words that count as the token, as the extraction of the study counted them.

    Raises
    ------
    NbtoolkitError
        The model is not the study's: another width, number of layers, or prompt.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=200)
    >>> study = nbt.study(model, data, "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> Session(model, study).run("attribution", {"sample": study.samples[0].id, "at": 4, "foil": "dog"})["quantity"]
    'logit_difference'
    """

    operations: Mapping[str, Operation] = OPERATIONS

    def __init__(
        self, model: Model, study: Study, data: Any = None, prompt: str | None = None, directions: Any = None
    ) -> None:
        width, n_layers = study.dictionary(study.layers[-1]).concepts.shape[1], study.representations.n_layers
        if (width, n_layers) != (model.d_model, model.n_layers):
            raise NbtoolkitError(
                f"The study has {n_layers} layers of width {width}, {model.name} has {model.n_layers} of width {model.d_model}; "
                "expected the model that the study was made with."
            )
        if study.source.prompt:
            model = limited(model, study.source.max_image_tokens)  # the positions of its images are those of the study
        rendered = model.text("{question}" if study.source.questions else prompt, study.source.n_images)
        if study.source.prompt and rendered != study.source.prompt:
            raise NbtoolkitError(
                f"The prompt of the study is {study.source.prompt!r}, that of the model would be {rendered!r}. "
                "Give the same prompt=…, and load the model with the same system=…."
            )
        if study.source.n_images > 1 and data is None:
            raise NbtoolkitError(
                f"The samples of the study have up to {study.source.n_images} images, of which it keeps the first; expected all. "
                "Give data=…, the data set of the study."
            )
        self.model, self.study, self.prompt = model, study, prompt
        self.directions = checked_directions(directions, model.d_model)
        self.image: bytes | None = None
        self.photographs: OrderedDict[str, Sample] = OrderedDict()
        self._data = None if data is None else captioned(data)
        self.memory: OrderedDict[str, Targets] = OrderedDict()
        self._means: dict[str, dict[int, np.ndarray]] = {}
        spelled = (model.decode(ids).strip() for ids in study.source.token_ids)
        self.variants = [word for word in dict.fromkeys(spelled) if word]
        self._lock = threading.RLock()

    @property
    def facts(self) -> dict[str, Any]:
        """The facts about the model that a view opens with: ``n_layers``, ``n_heads``, ``name``, ``directions``."""
        model, names = self.model, list(self.directions)
        return {"n_layers": model.n_layers, "n_heads": model.n_heads, "name": model.name, "directions": names}

    @property
    def has_data(self) -> bool:
        """Whether there is a data set, with the images in full."""
        return self._data is not None

    @property
    def given_captions(self) -> bool:
        """Whether the study's responses are captions that came with the images, read by the model, not generated."""
        return self.study.source.decoding == "given captions"

    def run(
        self,
        name: str,
        question: Mapping[str, Any],
        *,
        progress: Callable[[int, int], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> dict[str, Any]:
        """Run an operation.

        Parameters
        ----------
        name
            Its name; see ``operations``.
        question
            Its arguments, as JSON; an image as bytes.
        progress
            Called with (done, total) by operations that report.
        cancel
            Event that stops operations that can be stopped.

        Returns
        -------
        dict
            Plain data; large arrays as bytes.

        Raises
        ------
        NbtoolkitError
            There is no such operation, or it refuses the arguments.
        """
        result: dict[str, Any] = run(self, name, question, progress=progress, cancel=cancel)
        return result

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Context in which this thread has the model to itself."""
        with self._lock:
            yield

    def as_jpeg(self, image: Any) -> bytes:
        """Encode an image outside the study as the views show it.

        Parameters
        ----------
        image
            A path, a PIL image or encoded bytes.

        Returns
        -------
        bytes
            A JPEG of at most 1,024 pixels a side.
        """
        return thumbnail(read_image(image), MAX_SIDE)

    def lend(self, photograph: Sample) -> None:
        """Have an image outside the study as a sample; the last 64 are held.

        Parameters
        ----------
        photograph
            The image; its caption, where it has one, is read as the response.
        """
        self.photographs[photograph.id] = photograph
        self.photographs.move_to_end(photograph.id)
        while len(self.photographs) > N_PHOTOGRAPHS:
            self.photographs.popitem(last=False)

    def has_given_caption(self, sample: str) -> bool:
        """Whether the response to an image is a text that the model reads, not one that it generates.

        Parameters
        ----------
        sample
            Id of the sample.
        """
        return bool(self.photographs[sample].caption) if sample in self.photographs else self.given_captions

    def response(self, sample: str) -> Targets:
        """The response to one image, teacher-forced up to the token; the last 32 stay in memory.

        Parameters
        ----------
        sample
            Id of the sample.

        Raises
        ------
        NothingFoundError
            The token is not in the response, for example because the thumbnail is too small.
        """
        if sample not in self.memory:
            source = self.photographs.get(sample) or self.study.sample(sample)
            given = [source.caption] if self.has_given_caption(sample) else None
            hold(self, {sample: self.respond(self.image_of(sample), given, self.question_of(sample))})
        self.memory.move_to_end(sample)
        return self.memory[sample]

    def generate(self, samples: Sequence[str]) -> None:
        """Generate the responses to several images together, where they are not in memory.

        Parameters
        ----------
        samples
            Ids of at most 32 samples.
        """
        with self.exclusive():
            responses(self, samples)

    def question_of(self, sample: str) -> str | None:
        """The question of a sample: its own where every image of the study has one, else the session's.

        Parameters
        ----------
        sample
            Id of the sample.
        """
        return self.study.source.questions.get(sample, self.prompt)

    def respond(self, image: Any, captions: Sequence[str] | None = None, prompt: str | None = None) -> Targets:
        """Response of the model to an image, teacher-forced up to the token.

        Parameters
        ----------
        image
            A PIL image.
        captions
            The response, where it is given; else the model generates it.
        prompt
            The question; the session's if None.
        """
        return respond(self, [image], captions, [self.prompt if prompt is None else prompt])

    def means(self, part: str) -> dict[int, np.ndarray]:
        """Mean contributions of every layer over 16 images of the study, computed once per part.

        Parameters
        ----------
        part
            ``"block"``, ``"attention"`` or ``"mlp"``.

        Returns
        -------
        dict
            Layer to its mean contribution, (d_model,).
        """
        if part not in self._means:
            samples = self.study.samples[:: max(1, len(self.study.samples) // N_MEAN)][:N_MEAN]
            layers = range(1, self.model.n_layers + 1)
            images = [self.image_of(s.id) for s in samples]
            questions = [self.question_of(s.id) for s in samples]
            self._means[part] = mean_contributions(self.model, images, layers, part=part, prompt=questions)
        return self._means[part]

    def image_of(self, sample: str) -> Any:
        """Image of a sample (a list of several): of the data set where there is one, else the study's thumbnail.

        Parameters
        ----------
        sample
            Id of the sample.
        """
        if sample in self.photographs:
            return read_image({"bytes": self.photographs[sample].image})
        if self._data is not None:
            return next(rows_by_id(self._data, [sample]))
        if image := self.study.sample(sample).image:
            return read_image({"bytes": image})
        raise NbtoolkitError(f"Sample {sample!r} has no image in the study; expected one. Give data=…, its data set.")
