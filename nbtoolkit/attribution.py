"""What a token owes to each concept: its log-probability as the model goes on from a changed state, and its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import read_image
from .errors import MethodError, NothingFoundError
from .tokens import encode_answer, find_token, subtoken_variants
from .types import ConceptDictionary

if TYPE_CHECKING:
    from .models import Model

Array = np.ndarray
BATCH = 16


@dataclass(frozen=True, eq=False)
class Mentions:
    """Pictures about which a model says a token, ready to be read again up to that token; from :func:`mentions`.

    Attributes
    ----------
    model, token
        Who says what.
    rows
        Which of the given pictures; about the others the token is not said.
    captions
        The whole answers.
    """

    model: Model
    token: str
    rows: tuple[int, ...]
    captions: tuple[str, ...]
    _batches: tuple[tuple[dict[str, Any], list[list[int]], list[int]], ...]  # inputs, ids before the token, its id
    _whole: tuple[tuple[int, ...], ...]  # ids of the answers

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Mentions of {self.token!r} by {self.model.name}: in {len(self)} answers"

    def read(self, layers: Sequence[int] = ()) -> tuple[Array, Array]:
        """Read every answer up to the token, under whatever interventions are in force.

        Returns
        -------
        log_probability : (n,)
            Of the token, in nats.
        states : (n, len(layers), d_model)
            At the position that predicts it.
        """
        import torch

        found, kept = [], [self._resolve(layer) for layer in layers]
        for batch in self._batches:
            states = self._states(batch, [*kept, self.model.n_layers])
            found.append((self._log_probability(states[-1], batch[2]).cpu(), states[:-1].cpu()))
        scores, states = zip(*found, strict=True)
        return torch.cat(scores).numpy(), torch.cat(states, 1).transpose(0, 1).numpy()

    def answers(self, max_new_tokens: int = 40) -> list[str]:
        """Let the model answer again, under whatever interventions are in force."""
        from .models.generation import respond

        out = []
        for inputs, _, _ in self._batches:
            out += [self.model.decode(row).strip() for row in respond(self.model, inputs, max_new_tokens)]
        return out

    def words(self, layer: int) -> list[tuple[list[str], int, Array]]:
        """Give every piece of every answer: their texts, the place of the token, and the states (n_pieces, d_model) that predict them."""
        from .models.generation import teacher_forced

        out, at, whole = [], self._resolve(layer), iter(self._whole)
        for inputs, before, _ in self._batches:
            ids = [list(next(whole)) for _ in before]
            states = teacher_forced(self.model, inputs, ids, [at])[0].cpu().numpy()  # (longest + 1, n, d_model)
            for j, (row, prefix) in enumerate(zip(ids, before, strict=True)):
                ends = ["", *(self.model.decode(row[: i + 1]) for i in range(len(row)))]
                pieces = [end[len(start) :] for start, end in pairwise(ends)]
                out.append((pieces, len(prefix), states[: len(row), j]))
        return out

    def after(self, layer: int) -> Callable[[Array], Array]:
        """Make the rest of the model a function: from states (n, d_model) after a layer to the token's log-probability (n,), nats.

        The states replace the model's own at the position that predicts the token, as :func:`nbtoolkit.metrics.c_deletion` needs.
        """
        at = self._resolve(layer)

        def log_probability(states: Array) -> Array:
            import torch

            new = torch.tensor(np.asarray(states, np.float32))
            if new.shape != (len(self), self.model.d_model):
                raise MethodError(
                    f"states has shape {tuple(new.shape)}; expected ({len(self)}, {self.model.d_model}), a row a mention."
                )
            parts = [self._from(batch, at, part) for batch, part in self._split(new)]
            return torch.cat(parts).cpu().numpy()

        return log_probability

    def gradient(self, layer: int) -> Array:
        """Gradient of the token's log-probability by the state after a layer, at the position that predicts it: (n, d_model)."""
        import torch

        at = self._resolve(layer)
        _, states = self.read([at])
        out = []
        with torch.enable_grad():
            for batch, part in self._split(torch.from_numpy(states[:, 0])):
                leaf = part.to(self.model.device).requires_grad_()
                score = self._from(batch, at, leaf, gradient=True).sum()
                out.append(torch.autograd.grad(score, leaf)[0].float().cpu())
        return torch.cat(out).numpy()

    def _resolve(self, layer: int) -> int:
        from .interventions import at_layers

        return at_layers(self.model, [layer])[0]

    def _split(self, states: Any) -> list[tuple[Any, Any]]:
        return list(zip(self._batches, states.split([len(ids) for _, _, ids in self._batches]), strict=True))

    def _states(self, batch: Any, layers: Sequence[int], gradient: bool = False) -> Any:
        """States at the positions that predict the token, (len(layers), n, d_model)."""
        from .models.generation import teacher_forced

        inputs, before, ids = batch
        states = teacher_forced(self.model, inputs, before, layers, gradient=gradient)
        return states[:, [len(b) for b in before], range(len(ids))]

    def _from(self, batch: Any, layer: int, states: Any, gradient: bool = False) -> Any:
        """Log-probability of the token when these states (n, d_model) are in place after a layer."""
        from .models.hooks import watching

        _, before, ids = batch
        if layer == self.model.n_layers:
            return self._log_probability(states, ids, gradient)
        longest = max(map(len, before))
        at = [len(b) - longest - 1 for b in before]

        def replace(here: int, hidden: Any) -> Any:
            if here != layer:
                return None
            new = hidden.clone()
            new[range(len(ids)), at] = states.to(hidden.device, hidden.dtype)
            return new

        with watching(self.model.blocks, replace):
            last = self._states(batch, [self.model.n_layers], gradient)[0]
        return self._log_probability(last, ids, gradient)

    def _log_probability(self, states: Any, ids: Sequence[int], gradient: bool = False) -> Any:
        logits = self.model.unembed(states, gradient=gradient)
        return logits.log_softmax(-1)[range(len(ids)), list(ids)]


def mentions(model: Model, images: Sequence[Any], token: str, *, answers: Sequence[str] | None = None, prompt: str | None = None,
             max_new_tokens: int = 40) -> Mentions:  # fmt: skip
    """Let a model caption pictures, and keep those about which it says a token.

    Parameters
    ----------
    model, token
        As for :func:`nbtoolkit.extract`.
    images
        Pictures, or anything that a data set's image column holds.
    answers
        Answers to read instead of the model's own, one a picture.
    prompt, max_new_tokens
        As for :func:`nbtoolkit.extract`.

    Raises
    ------
    NothingFoundError
        The token is in no answer.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> m = mentions(nbt.load_model("toy"), nbt.load_data("toy", n=40)["image"], "dog")
    >>> len(m), m.read([-1])[1].shape
    (5, (5, 1, 128))
    """
    from .models.generation import respond

    if answers is not None and len(answers) != len(images):
        raise MethodError(f"There are {len(answers)} answers for {len(images)} pictures; expected one each.")
    variants = subtoken_variants(model.tokenizer, token)
    size = 1 if model.equal_lengths else BATCH
    rows, captions, batches, wholes = [], [], [], []
    for start in range(0, len(images), size):
        part = [read_image(i) for i in images[start : start + size]]
        whole = model.inputs(part, prompt)
        texts = None if answers is None else answers[start : start + size]
        said = (
            respond(model, whole, max_new_tokens)
            if texts is None
            else [encode_answer(model.tokenizer, t) for t in texts]
        )
        at = [find_token(ids, variants, model.tokenizer.decode) for ids in said]
        kept = [(j, k) for j, k in enumerate(at) if k is not None]
        if kept:
            rows += [start + j for j, _ in kept]
            captions += [model.decode(said[j]).strip() for j, _ in kept]
            wholes += [tuple(said[j]) for j, _ in kept]
            inputs = whole if len(kept) == len(part) else model.inputs([part[j] for j, _ in kept], prompt)
            batches.append((inputs, [said[j][:k] for j, k in kept], [said[j][k] for j, k in kept]))
    if not rows:
        example = f" The last is {model.decode(said[-1]).strip()!r}." if len(images) else ""
        raise NothingFoundError(
            f"{token!r} is in none of {len(images)} answers.{example} Choose pictures about which the model says it."
        )
    return Mentions(model, token, tuple(rows), tuple(captions), tuple(batches), tuple(wholes))


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each concept does for the token's log-probability, in nats.

    Attributes
    ----------
    activations : (n, n_concepts)
        V.
    ablation : (n, n_concepts)
        How much is lost when the concept's part v_k u_k is taken out of the state; exact.
    gradient : (n, n_concepts)
        The same to first order: v_k u_k · ∂ log p / ∂ z.
    """

    activations: Array
    ablation: Array
    gradient: Array

    @property
    def agreement(self) -> Array:
        """Spearman's rank correlation of the two over the concepts that a sample uses, (n,); NaN where it uses fewer than 3."""
        from scipy.stats import spearmanr

        out = np.full(len(self.activations), np.nan)
        for i, v in enumerate(self.activations):
            used = np.flatnonzero(v)
            if len(used) >= 3 and np.ptp(self.ablation[i, used]) > 0 and np.ptp(self.gradient[i, used]) > 0:
                out[i] = spearmanr(self.ablation[i, used], self.gradient[i, used]).statistic
        return out


def contributions(said: Mentions, cd: ConceptDictionary) -> Contributions:
    """Attribute the token's log-probability to the concepts of a dictionary.

    Parameters
    ----------
    said
        From :func:`mentions`.
    cd
        Of the same model; its layer is where the concepts are taken out.

    References
    ----------
    Parekh et al. 2024, section 6, leave the attribution of outputs open. Gradient × activation: Kim et al., "Interpretability
    beyond feature attribution", ICML 2018, section 3.3; ablation: Marks et al., "Sparse feature circuits", ICLR 2025, section 3.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=100)
    >>> cd = nbt.decompose(nbt.extract(model, data, "dog", progress=False), nbt.SemiNMF(3, random_state=0), layer=3)
    >>> contributions(mentions(model, data["image"][:40], "dog"), cd).ablation.shape
    (5, 3)
    """
    _, states = said.read([cd.layer])
    Z = states[:, 0]
    V, U = cd.encode(Z), cd.concepts
    forward = said.after(cd.layer)
    whole = forward(Z)
    ablation = np.zeros(V.shape)
    for k in np.flatnonzero(np.abs(V).any(0)):
        ablation[:, k] = np.where(V[:, k] == 0, 0, whole - forward(Z - V[:, [k]] * U[k]))
    return Contributions(V, ablation, V * (said.gradient(cd.layer) @ U.T))
