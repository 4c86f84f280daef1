"""A model behind a study's views: plain answers to plain questions, so that the views need no torch; and ``explore``."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .attribution import Mentions, contributions, mentions
from .data import captioned, images_by_id, read_image, thumbnail
from .errors import Cancelled, NbtoolkitError, NothingFoundError
from .interventions import ablate, mean_contributions
from .storage.study import Study

if TYPE_CHECKING:
    from .models import Model
    from .widgets import Explorer

OWN = 1024  # pixels: the longer side of a picture that is not the study's
KEEP = 32  # pictures whose inputs are kept
N_MEAN = 16  # pictures of which the means are taken


class Live:
    """What a view may ask a model about the pictures of a study. One question at a time; answers are plain data.

    Parameters
    ----------
    model
        The one that the study was made with.
    study
        Its pictures stand in where ``data`` is not given: thumbnails of at most 256 pixels.
    data
        The data set of the study, for the pictures themselves.
    prompt
        What the study was asked, where it was not the model's default.

    Raises
    ------
    NbtoolkitError
        The model is not the study's: another width, number of layers, or prompt.
    """

    def __init__(self, model: Model, study: Study, data: Any = None, prompt: str | None = None) -> None:
        width, n_layers = study.dictionary(study.layers[-1]).concepts.shape[1], study.representations.n_layers
        if (width, n_layers) != (model.d_model, model.n_layers):
            raise NbtoolkitError(f"The study has {n_layers} layers of width {width}, {model.name} has {model.n_layers} of width {model.d_model}; "
                                 "expected the model that the study was made with.")  # fmt: skip
        if study.source.prompt and model.text(prompt) != study.source.prompt:
            raise NbtoolkitError(
                f"The study was asked {study.source.prompt!r}, and the model would be asked {model.text(prompt)!r}. Give the same prompt=…"
            )
        self.model, self.study, self.prompt = model, study, prompt
        self._data = None if data is None else captioned(data)
        self._said: OrderedDict[str, Mentions] = OrderedDict()
        self._means: dict[str, dict[int, np.ndarray]] = {}
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        from .models.threads import fitting_threads

        with self._lock, fitting_threads(self.model.hf):
            yield

    @property
    def facts(self) -> dict[str, Any]:
        """What the views have to know before they ask."""
        return {"n_layers": self.model.n_layers, "n_heads": self.model.n_heads, "name": self.model.name}

    def ablate(self, sample: str, *, layers: Sequence[int] = (), part: str = "block", how: str = "zero", heads: Sequence[int] | None = None,
               concept: int | None = None, at: int = -1) -> dict[str, Any]:  # fmt: skip
        """Switch layers off, or a concept's direction after its layer ``at``, and let the model answer again.

        Returns
        -------
        dict
            ``difference`` of the captions, ``before`` and ``after`` (log-probability of the token, nats), ``vanished`` and
            ``appeared`` (concepts of layer ``at``), and their ``activations`` before and after.
        """
        from .effects import effect

        cd = self.study.dictionary(at)

        @contextlib.contextmanager
        def change() -> Any:
            with contextlib.ExitStack() as stack:
                if layers:
                    means = self.means(part) if how == "mean" else None
                    stack.enter_context(
                        ablate(self.model, layers, part=part, how=how, heads=heads or None, means=means)
                    )
                if concept is not None:
                    stack.enter_context(ablate(self.model, cd.layer, direction=cd.concept(concept)))
                yield

        with self._alone():
            found = effect(self.said(sample), cd, change, max_new_tokens=self.study.source.max_new_tokens)
        before, after = found.log_probability
        return {"difference": found.difference, "caption": found.after, "before": before, "after": after, "layer": cd.layer, "vanished": found.vanished,
                "appeared": found.appeared, "activations": found.activations.astype(float).tolist()}  # fmt: skip

    def compute(
        self,
        layers: Sequence[int],
        *,
        progress: Callable[[int, int], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Study:
        """Give the study with these layers too, and answer about it from now on; see :func:`nbtoolkit.studies.extend`."""
        from .studies import extend

        with self._alone():
            self.study = extend(self.study, self.model, layers, progress=progress, cancel=cancel)
        return self.study

    def own(self, picture: Any) -> bytes:
        """A picture that the study does not have (a path, PIL image or bytes) as the views show it: a JPEG."""
        return thumbnail(read_image(picture), OWN)

    def explain(self, picture: Any, *, at: int) -> dict[str, Any]:
        """Take a picture apart that the study does not have.

        Returns
        -------
        dict
            ``pieces`` of the model's answer (before the token, the token, after it), ``activations`` of the layer's concepts
            and ``unexplained``, the share of the state that none of them explains.

        Raises
        ------
        NothingFoundError
            The model does not say the token about it; the message has what it says.
        """
        from .interpretation import take_apart
        from .text.words import split_at_token as pieces

        cd, g, token = self.study.dictionary(at), self.study.grounding(at), self.study.token
        with self._alone():
            said = self._mention(read_image(picture))
            _, states = said.read([cd.layer])
        (one,) = take_apart(cd, g, states[:, 0], ["own"], said.captions, cd.n_concepts)
        activations = {part.concept: part.activation for part in one.parts}
        return {"pieces": list(pieces(one.caption, (token,))[0]), "unexplained": one.unexplained,
                "activations": [activations.get(k, 0.0) for k in range(cd.n_concepts)]}  # fmt: skip

    def maps(self, sample: str, *, at: int) -> tuple[dict[str, Any], bytes]:
        """Where every concept of a layer lies in a picture.

        Returns
        -------
        dict, bytes
            ``shape`` (n_concepts, height, width), ``low`` and ``high`` of each map, ``tiles``; and the maps as uint8 between
            the two. Of several tiles it is the last, as in the figures.
        """
        from .interpretation import saliencies

        with self._alone():
            found = saliencies(self.model, self._picture(sample), self.study.dictionary(at), prompt=self.prompt)
        grids = found[:, -1].astype(np.float64)
        low, high = grids.min((1, 2)), grids.max((1, 2))
        span = np.where(high > low, high - low, 1)  # a constant map is all 0
        pixels = np.round(255 * (grids - low[:, None, None]) / span[:, None, None]).astype(np.uint8)
        return {
            "shape": list(pixels.shape),
            "low": low.tolist(),
            "high": high.tolist(),
            "tiles": found.shape[1],
        }, pixels.tobytes()

    def words(self, sample: str, *, at: int) -> dict[str, Any]:
        """Take every word-piece of the model's answer apart, as the token under study is.

        Returns
        -------
        dict
            ``pieces`` of the answer, ``position`` of the token among them, ``activations`` of each piece (a row each) and
            ``unexplained``.
        """
        from .decomposition import reconstruct, unexplained

        cd = self.study.dictionary(at)
        with self._alone():
            ((pieces, position, states),) = self.said(sample).words(cd.layer)
        activations = cd.encode(states)
        rest = unexplained(states, reconstruct(cd.encoder, activations))
        return {"pieces": pieces, "position": position, "activations": activations.astype(float).round(5).tolist(),
                "unexplained": rest.astype(float).tolist()}  # fmt: skip

    def owed(self, sample: str, *, at: int) -> dict[str, Any]:
        """What the token's log-probability owes to each concept of a layer, in nats: ``ablation``, ``gradient``, ``agreement``."""
        with self._alone():
            found = contributions(self.said(sample), self.study.dictionary(at))
        agreement = float(found.agreement[0])
        return {"ablation": found.ablation[0].astype(float).tolist(), "gradient": found.gradient[0].astype(float).tolist(),
                "agreement": agreement if np.isfinite(agreement) else None}  # fmt: skip

    def sweep(self, samples: Sequence[str], *, part: str = "block", how: str = "zero", progress: Callable[[int, int], None] | None = None,
              cancel: threading.Event | None = None) -> dict[str, Any]:  # fmt: skip
        """Switch every layer off in turn, for each of these pictures.

        Returns
        -------
        dict
            ``layers``; ``change`` and ``null`` (one list a picture about which the token is said; nats); ``samples``.
        """
        from .effects import layer_effects

        change, null, kept = [], [], []
        layers: tuple[int, ...] = tuple(range(1, self.model.n_layers + 1))
        for done, sample in enumerate(samples):
            if cancel is not None and cancel.is_set():
                raise Cancelled(f"Stopped after {done} of {len(samples)} pictures.")
            with self._alone():
                try:
                    means = self.means(part) if how == "mean" else None
                    found = layer_effects(self.said(sample), part=part, how=how, means=means, n_random=2)
                except NothingFoundError:
                    continue  # the thumbnail does not show what the picture did
            change.append(found.change[0].astype(float).tolist())
            null.append(found.null[0].astype(float).tolist())
            kept.append(sample)
            if progress is not None:
                progress(done + 1, len(samples))
        return {"layers": list(layers), "change": change, "null": null, "samples": kept}

    def said(self, sample: str) -> Mentions:
        """The mention of the token in the model's answer to one picture; the last few are kept.

        Raises
        ------
        NothingFoundError
            It does not say the token, for example because the thumbnail is too small.
        """
        if sample not in self._said:
            given = [self.study.sample(sample).caption] if self.study.source.decoding == "given captions" else None
            self._said[sample] = self._mention(self._picture(sample), given)
            while len(self._said) > KEEP:
                self._said.popitem(last=False)
        self._said.move_to_end(sample)
        return self._said[sample]

    def means(self, part: str) -> dict[int, np.ndarray]:
        """Mean contributions of every layer over some of the study's pictures; made once a part."""
        if part not in self._means:
            some = [
                self._picture(s.id) for s in self.study.samples[:: max(1, len(self.study.samples) // N_MEAN)][:N_MEAN]
            ]
            self._means[part] = mean_contributions(
                self.model, some, range(1, self.model.n_layers + 1), part=part, prompt=self.prompt
            )
        return self._means[part]

    def _mention(self, picture: Any, answers: Sequence[str] | None = None) -> Mentions:
        return mentions(self.model, [picture], self.study.token, answers=answers, prompt=self.prompt,
                        max_new_tokens=self.study.source.max_new_tokens)  # fmt: skip

    def _picture(self, sample: str) -> Any:
        if self._data is not None:
            return next(images_by_id(self._data, [sample]))
        return read_image({"bytes": self.study.sample(sample).image})


def explore(
    study: Study, model: Model | None = None, *, data: Any = None, prompt: str | None = None, **start: Any
) -> Explorer:
    """Open the Explorer on a study; with its model, layers and concepts can be switched off in it.

    Parameters
    ----------
    study
        Of :func:`nbtoolkit.study` or :func:`nbtoolkit.open_study`.
    model
        The model of the study, for live ablation.
    data, prompt
        With a model: the data set of the study, for its pictures in full, and the prompt, where it was not the default.
    **start
        Where to start: ``layer``, ``concept``, ``sample``.

    Returns
    -------
    Explorer
        Its traits ``layer``, ``concept`` and ``sample`` can be read, set, observed and linked.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> study = nbt.study(nbt.load_model("toy"), nbt.load_data("toy", n=200), "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> nbt.explore(study, layer=4).layer
    4
    """
    from .widgets import Explorer

    return Explorer(study, live=None if model is None else Live(model, study, data, prompt), **start)
