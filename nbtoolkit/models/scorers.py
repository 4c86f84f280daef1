"""Models that score text: CLIP scorers of text against images, and text encoders for BERTScore."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer

from ..errors import ModelError, first_line
from ..types.arguments import checked
from .addresses import at_home
from .inference import inference
from .loading import NO_REMOTE_CODE, load_processor, quiet, resolve

# the layers that the reference implementation of BERTScore recommends
DEFAULT_LAYERS = {
    "roberta-large": 17,
    "FacebookAI/roberta-large": 17,
    "roberta-base": 10,
    "bert-base-uncased": 9,
    "google-bert/bert-base-uncased": 9,
}


class Scorer:
    """A CLIP model: cosines between images and texts.

    Parameters
    ----------
    hf, processor
        A loaded model with image and text features, and its processor.
    name
        Hub id or folder.
    """

    def __init__(self, hf: Any, processor: Any, name: str) -> None:
        self.hf, self.processor, self.name = hf.eval(), processor, name

    @cached_property
    def digest(self) -> str:
        """Hash of the name and all weights, in hexadecimal: what is computed with the scorer is cached by it."""
        value = hashlib.blake2b(self.name.encode(), digest_size=16)
        for name, tensor in sorted(self.hf.state_dict().items()):
            value.update(repr((name, tensor.dtype, tuple(tensor.shape))).encode())
            value.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return value.hexdigest()

    def images(self, images: Iterable[Any], batch_size: int = 64) -> np.ndarray:
        """Embed images; one batch is in memory at a time.

        Parameters
        ----------
        images
            PIL images; a generator will do.
        batch_size
            Images per batch.

        Returns
        -------
        (n, d) array
            Unit vectors, float32.
        """
        return self._embed(
            images,
            batch_size,
            lambda part: self.hf.get_image_features(**self.processor(images=part, return_tensors="pt")),
        )

    def texts(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """Embed texts.

        Parameters
        ----------
        texts
            Any texts; longer ones than the model reads are truncated.
        batch_size
            Texts per batch.

        Returns
        -------
        (n, d) array
            Unit vectors, float32.
        """
        settings = {
            "padding": True,
            "truncation": True,
            "return_tensors": "pt",
            "max_length": self.hf.config.text_config.max_position_embeddings,
        }
        return self._embed(
            texts,
            batch_size,
            lambda part: self.hf.get_text_features(**self.processor.tokenizer(part, **settings)),
        )

    def _embed(self, items: Iterable[Any], batch_size: int, run: Callable[[list[Any]], Any]) -> np.ndarray:
        rows, rest = [], iter(items)
        while part := list(itertools.islice(rest, batch_size)):
            with inference(self.hf):
                out = run(part)
                out = getattr(out, "pooler_output", out)
                rows.append(normalize(out.float(), dim=-1).cpu().numpy())
        return np.concatenate(rows)

    def text_encoder(self, layer: int = -1) -> TextEncoder:
        """Its text tower as a text encoder: unit states of a text's tokens.

        Parameters
        ----------
        layer
            Layer of the states; negative ones count from the last.

        Raises
        ------
        ModelError
            The tower gives no states of tokens, or has no such layer.
        """
        tower, tokenizer = getattr(self.hf, "text_model", None), getattr(self.processor, "tokenizer", None)
        if tower is None or tokenizer is None:
            raise ModelError(
                f"The scorer {self.name!r} ({type(self.hf).__name__}) has no text tower that gives states of tokens; expected a "
                "text_model and a tokenizer, as CLIP has them. Give a text encoder such as 'roberta-large'."
            )
        return TextEncoder(tower, tokenizer, layer, name=f"text tower of the scorer {self.name!r}")

    def __call__(self, images: Sequence[Any], texts: Sequence[str]) -> np.ndarray:
        """Score every text against every image.

        Parameters
        ----------
        images, texts
            As for :meth:`images` and :meth:`texts`.

        Returns
        -------
        (n_images, n_texts) array
            Cosines, -1 to 1, no unit.
        """
        return self.images(images) @ self.texts(texts).T


@checked
def load_scorer(source: Any = "toy") -> Scorer:
    """Load a CLIP model that scores how well words fit images (CLIPScore).

    Parameters
    ----------
    source
        ``"toy"`` (for the embedded world; trained independently of its captioner), a folder, or a hub id such as
        ``"openai/clip-vit-base-patch32"``, the paper's.

    Returns
    -------
    Scorer
        ``scorer(images, texts)`` gives the cosines.

    Raises
    ------
    ModelError
        No CLIP model there.

    References
    ----------
    Hessel et al., "CLIPScore", EMNLP 2021.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.load_scorer("toy").texts(["dog, grass"]).shape
    (1, 128)
    """
    source = at_home(source)
    path = resolve(source, "scorer")
    try:
        with quiet(path is not source):
            hf: Any = AutoModel.from_pretrained(path, dtype=torch.float32, **NO_REMOTE_CODE)
        processor = load_processor(path)
    except Exception as error:
        raise ModelError(f"{str(source)!r} cannot be loaded as a CLIP model ({first_line(error)}).") from error
    if not (hasattr(hf, "get_image_features") and hasattr(hf, "get_text_features")):
        raise ModelError(
            f"{str(source)!r} is a {type(hf).__name__}; expected a model with image and text features such as CLIP."
        )
    return Scorer(hf, processor, str(source))


class TextEncoder:
    """A text encoder: unit embeddings of a text's tokens, and the weight of each token.

    Parameters
    ----------
    hf, tokenizer
        A loaded encoder and its tokenizer.
    layer
        Layer whose hidden states are the embeddings; negative ones count from the last.
    name
        Hub id, folder or description; the class of the model where not given.
    """

    def __init__(self, hf: Any, tokenizer: Any, layer: int = -1, *, name: str = "") -> None:
        self.hf, self.tokenizer, self.layer, self.name = hf.eval(), tokenizer, layer, name or type(hf).__name__
        n = hf.config.num_hidden_layers
        if not -n - 1 <= layer <= n:
            raise ModelError(
                f"layer is {layer}; expected one between 0 and {n} (or negative, from the last) of {type(hf).__name__}."
            )

    def __call__(self, texts: Sequence[str], batch_size: int = 64) -> list[tuple[np.ndarray, np.ndarray]]:
        """Embed the tokens of texts.

        Parameters
        ----------
        texts
            Any texts; longer ones than the encoder reads are truncated.
        batch_size
            Texts per batch.

        Returns
        -------
        list of (array, array)
            Per text, embeddings (n_tokens, d) and weights (n_tokens,): 1, or 0 for special tokens around the text.
        """
        tokenizer = self.tokenizer
        special = {tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id}
        out = []
        for start in range(0, len(texts), batch_size):
            part = [t.strip() for t in texts[start : start + batch_size]]
            inputs = tokenizer(part, padding=True, truncation=True, max_length=self._longest(), return_tensors="pt")
            inputs = inputs.to(self.hf.device)
            with inference(self.hf):
                states = self.hf(**inputs, output_hidden_states=True).hidden_states[self.layer].float()
                states = normalize(states, dim=-1).cpu().numpy()
            live = inputs["attention_mask"].bool().cpu().numpy()
            for ids, mask, rows in zip(inputs["input_ids"].tolist(), live, states, strict=True):
                weights = np.array([float(i not in special) for i in ids])
                out.append((rows[mask], weights[mask]))
        return out

    def _longest(self) -> int:
        limit = int(getattr(self.hf.config, "max_position_embeddings", 512))
        return min(
            limit - (2 if self.hf.config.model_type in ("roberta", "xlm-roberta", "camembert") else 0),
            int(self.tokenizer.model_max_length),
        )


@checked
def load_text_encoder(source: Any, *, layer: int | None = None) -> TextEncoder:
    """Load a text encoder for :func:`nbtoolkit.metrics.bert_score`.

    Parameters
    ----------
    source
        A hub id such as ``"roberta-large"`` (the paper's) or a folder.
    layer
        Layer of the embeddings; if None, that of the reference implementation for the encoders it recommends, else the
        last.

    Returns
    -------
    TextEncoder
        ``encoder(texts)`` gives embeddings and weights.

    Raises
    ------
    ModelError
        No encoder there, or no such layer.

    References
    ----------
    Zhang et al., "BERTScore", ICLR 2020, appendix B (best layers).
    """
    try:
        with quiet(True):
            hf: Any = AutoModel.from_pretrained(source, dtype=torch.float32, **NO_REMOTE_CODE)
        tokenizer: Any = AutoTokenizer.from_pretrained(source, **NO_REMOTE_CODE)
    except Exception as error:
        raise ModelError(f"{str(source)!r} cannot be loaded as a text encoder ({first_line(error)}).") from error
    chosen = DEFAULT_LAYERS.get(str(source), -1) if layer is None else layer
    return TextEncoder(hf, tokenizer, chosen, name=str(source))
