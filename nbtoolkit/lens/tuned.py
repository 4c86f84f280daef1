"""The tuned lens: an affine map per layer, trained so that its lens is the last layer's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import xarray

from ..errors import LayerError, MethodError, StudyError
from ..storage.described import check_tensors, read_described, save_described
from ..storage.schema import fields, list_of, one_of, text, whole
from ..types import resolve_layers
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import Null
from ..types.rules import Count, Number, Rule

if TYPE_CHECKING:
    from ..models.adapter import Model

LOGIT_LENS = Null("logit lens", "the positions, the layers and the output; the states are not translated")
_CONTENT = fields(
    {
        "format": one_of((1,)),
        "kind": one_of(("tuned lens",)),
        "model": text,
        "revision": text,
        "n_layers": whole(1),
        "d_model": whole(1),
        "layers": list_of(whole(0)),
        "n_fitted": whole(1),
        "n_held_out": whole(1),
    }
)


class TunedLens:
    """An affine map per layer, s + W s + b, after which the logit lens is closest to the model's own output.

    It is trained by the Kullback-Leibler divergence from the last layer's distribution at the same position, from the identity
    on, and is deterministic. Images of the data are held out to measure it.

    Parameters
    ----------
    layers
        Layers: 0 … n_layers - 1, of which the last is not translated.
    n_epochs
        Passes over the positions.
    learning_rate
        Of Adam, relative to the states; it falls to zero.
    batch_size
        Positions per step.
    n_positions
        Positions of text and image that are sampled from the data, the same number per image. They and the layers are in memory
        together.
    held_out
        Share of the images that are held out, 0 to 1.
    random_state
        Seed of the sampling.

    Attributes
    ----------
    layers_
        The layers.
    weight_ : (n_layers, d_model, d_model)
        W of each.
    bias_ : (n_layers, d_model)
        b of each.
    held_out_ : Measurement
        ``layer`` -> divergence on held-out images, in nats; the null is the logit lens.

    References
    ----------
    Belrose et al., "Eliciting latent predictions from transformers with the tuned lens", 2023, arXiv 2303.08112, section 3.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> lens = TunedLens([2], n_epochs=2, n_positions=200).fit(nbt.load_model("toy"), nbt.load_data("toy", n=10))
    >>> bool((lens.held_out_.values < lens.held_out_.null).all())
    True
    """

    model_: str
    revision_: str
    n_layers_: int
    d_model_: int
    layers_: tuple[int, ...]
    weight_: np.ndarray
    bias_: np.ndarray

    @checked
    def __init__(
        self,
        layers: Any = "all",
        *,
        n_epochs: Number = 8,
        learning_rate: Annotated[float, Rule(above=0, most=100)] = 0.1,
        batch_size: Count = 64,
        n_positions: Count = 4096,
        held_out: Annotated[float, Rule(above=0, most=0.9)] = 0.2,
        random_state: int = 0,
    ) -> None:
        self.layers, self.n_epochs, self.learning_rate = layers, n_epochs, learning_rate
        self.batch_size, self.n_positions = batch_size, n_positions
        self.held_out, self.random_state = held_out, random_state

    @checked
    def fit(self, model: Model, data: Any, *, captions: str = "generated", max_new_tokens: Count = 40) -> TunedLens:
        """Train the map of every layer, and measure it on images that are held out.

        Parameters
        ----------
        model
            The model.
        data
            Captioned images: what :func:`nbtoolkit.load_data` returns, or what it takes.
        captions
            ``"generated"``: positions of the model's own responses, ``"given"``: of the first caption of each image; with those
            of the prompt and the image.
        max_new_tokens
            Longest response of the model, in sub-tokens.

        Raises
        ------
        MethodError
            Fewer than two images, or another value of ``captions``.
        LayerError
            A layer that the model does not have, or its last.
        """
        from .training import fit_layer, mean_divergences, sample_states

        if captions not in ("generated", "given"):
            raise MethodError(f"captions is {captions!r}; expected 'generated' or 'given'.")
        last = model.n_layers
        layers = resolve_layers(
            self.layers, last, available=range(last), hint="The last layer is the model's output itself."
        )
        rng = np.random.default_rng(self.random_state)
        options: dict[str, Any] = {
            "captions": captions,
            "n_positions": self.n_positions,
            "max_new_tokens": max_new_tokens,
        }
        states = sample_states(model, data, layers, rng=rng, **options)
        n_images = int(states.images.max()) + 1
        first = n_images - max(1, int(self.held_out * n_images))
        train, test = np.flatnonzero(states.images < first), np.flatnonzero(states.images >= first)
        settings: dict[str, Any] = {k: getattr(self, k) for k in ("n_epochs", "learning_rate", "batch_size")}
        maps = [
            fit_layer(model, states.layers[k][train], states.layers[last][train], rng=rng, **settings) for k in layers
        ]
        self.model_, self.revision_, self.n_layers_, self.d_model_ = model.name, model.revision, last, model.d_model
        self.layers_ = layers
        self.weight_, self.bias_ = (np.stack([m[i] for m in maps]).astype(np.float32) for i in (0, 1))
        self._counts = (first, n_images - first)
        tests = {layer: values[test] for layer, values in states.layers.items()}
        tuned, untrained, plain = (
            mean_divergences(model, tests, layers, way)
            for way in (self.translate, lambda k, states: self.translate(k, states, zero=True), None)
        )
        self._divergences, self._residual = np.stack([tuned, plain]), float(np.abs(untrained - plain).max())
        return self

    @property
    def held_out_(self) -> Measurement:
        """Divergence from the model's output on held-out images, per layer, in nats; the null is the logit lens."""
        self._require_fit()
        axes = {"layer": list(self.layers_)}
        values, null = (
            xarray.DataArray(v, axes, "layer", name)
            for v, name in zip(self._divergences, ("tuned_lens", "null"), strict=True)
        )
        about = {"model": self.model_, "revision": self.revision_, "n_images": list(self._counts)}
        identity = Identity("before training it is the logit lens", self._residual, 1e-5)
        return Measurement(values, "nats", identity, null, LOGIT_LENS, provenance=about)

    def translate(self, layer: int, states: Any, *, zero: bool = False) -> Any:
        """States as if they were the last layer's, (n, d_model), of the kind that is given.

        Parameters
        ----------
        layer
            One of :attr:`layers_`, or the last layer, whose states stay as they are.
        states : (n, d_model)
            States of the layer, an array or a tensor.
        zero
            With the maps as before training.

        Raises
        ------
        LayerError
            The lens was not fitted for the layer.
        """
        self._require_fit()
        if layer == self.n_layers_:
            return states
        if layer not in self.layers_:
            raise LayerError(
                f"layer is {layer}; expected one of the tuned lens: {[*self.layers_]}. Fit it for the layer."
            )
        k = self.layers_.index(layer)
        weight, bias = (m[k] * (0 if zero else 1) for m in (self.weight_, self.bias_))
        if isinstance(states, np.ndarray):
            return states + states @ weight.T + bias
        import torch

        own = states.float()
        matrix, vector = (torch.from_numpy(m).to(own.device) for m in (weight, bias))
        return own + own @ matrix.T + vector

    def require(self, model: Model) -> None:
        """Refuse another model than that of the fit.

        Parameters
        ----------
        model
            The model.

        Raises
        ------
        MethodError
            It is another one, or the lens is not fitted.
        """
        self._require_fit()
        own = (self.model_, self.revision_, self.n_layers_, self.d_model_)
        other = (model.name, model.revision, model.n_layers, model.d_model)
        if own != other:
            raise MethodError(f"The tuned lens is of the model {own}; expected {other}. Fit one for this model.")

    def _require_fit(self) -> None:
        if not hasattr(self, "weight_"):
            raise MethodError(
                "The tuned lens is not fitted; expected one that is. Call fit(model, data), or TunedLens.open."
            )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the lens as one safetensors file, whole or not at all.

        Parameters
        ----------
        path
            The file, such as ``toy.lens``; it may exist.
        """
        self._require_fit()
        n_fitted, n_held_out = self._counts
        content = {"format": 1, "kind": "tuned lens", "model": self.model_, "revision": self.revision_}
        content |= {"n_layers": self.n_layers_, "d_model": self.d_model_, "layers": self.layers_}
        content |= {"n_fitted": n_fitted, "n_held_out": n_held_out}
        residual = np.array([self._residual], np.float32)
        tensors = {"weight": self.weight_, "bias": self.bias_, "divergences": self._divergences, "residual": residual}
        return save_described(path, tensors, content)

    @staticmethod
    def open(path: str | os.PathLike[str]) -> TunedLens:
        """Read a fitted lens; its settings are those of its maps only.

        Parameters
        ----------
        path
            A file of :meth:`save`.

        Raises
        ------
        StudyError
            The file is missing, damaged, or no tuned lens.
        """
        about, tensors, place = read_described(path, "a tuned lens", _CONTENT)
        layers, d = about["layers"], about["d_model"]
        if not layers or sorted(set(layers)) != list(layers) or layers[-1] >= about["n_layers"]:
            raise StudyError(
                f"{place} has the layers {layers}; expected ascending ones below {about['n_layers']}. Copy it again."
            )
        shapes = {
            "weight": (len(layers), d, d),
            "bias": (len(layers), d),
            "divergences": (2, len(layers)),
            "residual": (1,),
        }
        check_tensors(tensors, shapes, place)
        lens = TunedLens(list(layers))
        lens.model_, lens.revision_ = about["model"], about["revision"]
        lens.n_layers_, lens.d_model_, lens.layers_ = about["n_layers"], d, tuple(layers)
        lens.weight_, lens.bias_, lens._divergences = (tensors[k] for k in ("weight", "bias", "divergences"))
        lens._residual, lens._counts = float(tensors["residual"][0]), (about["n_fitted"], about["n_held_out"])
        return lens

    def __repr__(self) -> str:
        if not hasattr(self, "weight_"):
            return f"TunedLens(layers={self.layers!r}), not fitted"
        return f"TunedLens of {self.model_}: layers {[*self.layers_]}, fitted on {self._counts[0]} images"
