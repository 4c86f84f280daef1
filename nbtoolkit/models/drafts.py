"""Greedy responses of an edited model from one recorded pass over a draft of the response.

What precedes the first edited layer and position is not computed again. The unedited response is the draft: one pass from the
edit onward gives the edited model's choice at every token of it, and only from the first other choice on tokens are generated,
one by one, behind the keys and values of that pass. Several edits run side by side, as rows.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .adapter import Model
from .attention_calls import Call, in_front
from .decoding import end_ids
from .hooks import output_states, watching
from .inference import inference
from .prefix import Prefix, cut, is_close, read_prefix
from .replay import Recording, record
from .responses import until_end

_EQUAL: weakref.WeakKeyDictionary[Any, dict[Any, bool]] = weakref.WeakKeyDictionary()
N_CHECKED = 6  # tokens of the check


@dataclass(frozen=True, eq=False)
class Shift:
    """Vectors that are added to the residual stream after a layer.

    Attributes
    ----------
    layer
        The layer, 0 … n_layers.
    vectors : (n, d_model)
        One per row.
    mask : (n_positions,)
        1 at the positions that are shifted, 0 elsewhere; as many as the prompt and the longest response have.
    """

    layer: int
    vectors: Tensor
    mask: Tensor

    def add(self, states: Tensor, start: int) -> Tensor:
        """Shifted states.

        Parameters
        ----------
        states : (n, positions, d_model)
            States of the layer.
        start
            Position of the first of them.
        """
        mask = self.mask[start : start + states.shape[1]].to(states.device, states.dtype)
        return states + mask[None, :, None] * self.vectors.to(states.device, states.dtype)[:, None]


@dataclass(frozen=True, eq=False)
class Draft:
    """A recorded pass over a prompt and a draft of its response, with room up to the longest response; see :func:`draft`.

    Attributes
    ----------
    model
        The model.
    ids
        The draft.
    n_prompt
        Positions of the prompt.
    prefix
        Keys and values of the pass.
    masks
        Layer, counted from 1, to the mask of its attention, or None where it is causal.
    """

    model: Model
    ids: tuple[int, ...]
    n_prompt: int
    prefix: Prefix
    masks: Mapping[int, Any]

    @property
    def recording(self) -> Recording:
        """The pass."""
        return self.prefix.recording

    @property
    def limit(self) -> int:
        """Longest response, in sub-tokens."""
        return self.recording.n_positions - self.n_prompt

    def mask(self, positions: Any) -> Tensor:
        """Whether each position is among those of an edit, (n_positions,) of 0 and 1.

        Parameters
        ----------
        positions
            A container of positions.
        """
        return torch.tensor([float(p in positions) for p in range(self.recording.n_positions)])

    def run(self, shifts: Sequence[Shift], n: int, layer: int = 0) -> tuple[Tensor, list[list[int]], Tensor]:
        """Logits over the draft, the greedy responses, and states of a layer, of ``n`` rows of edits.

        Parameters
        ----------
        shifts
            What is added, with ``n`` vectors each.
        n
            Number of rows.
        layer
            Layer of the states.

        Returns
        -------
        logits : (n, len(ids) + 1, n_vocabulary)
            At the positions that predict the tokens of the draft, and what follows it.
        responses : list of list of int
            Ids of each row's response, up to its end.
        states : (n, len(ids) + 1, d_model)
            Of the layer, where tokens of the draft are predicted.
        """
        run = _Run(self, shifts, n)
        with inference(self.model.hf), in_front(self.model, run.attend):
            own, last = run.over_draft(layer)
            logits = self.model.unembed(last)
            return logits, run.respond(logits.argmax(-1)), own


class _Run:
    """Rows of edits that are computed side by side; keys and values by layer, (n, n_heads, n_positions, d_head)."""

    def __init__(self, owner: Draft, shifts: Sequence[Shift], n: int) -> None:
        self.draft, self.shifts, self.n = owner, shifts, n
        self.model = owner.model
        self.first = min((shift.layer for shift in shifts), default=self.model.n_layers)
        self.start = self.stop = 0
        self.states: dict[int, Tensor] = {}  # of the last positions that were computed, by layer
        self.keys, self.values = (
            {layer: pair[side].expand(n, -1, -1, -1).clone() for layer, pair in owner.prefix.pairs.items()}
            for side in (0, 1)
        )

    def over_draft(self, layer: int) -> tuple[Tensor, Tensor]:
        """States of a layer and of the last one where tokens of the draft are predicted, (n, len(ids) + 1, d_model)."""
        owner = self.draft
        n_logits = min(len(owner.ids) + 1, owner.limit)
        edited = (int(shift.mask.argmax()) for shift in self.shifts if bool(shift.mask.any()))
        start = owner.prefix.start(min([owner.n_prompt - 1, *edited]))
        stop = owner.n_prompt - 1 + n_logits
        states = owner.recording.stream[self.first][:, start:stop].expand(self.n, -1, -1)
        last = self._blocks(self.first, self._shifted(self.first, states, start), start, stop)
        own = owner.recording.stream[layer][:, start:stop].expand(self.n, -1, -1)
        return self.states.get(layer, own)[:, -n_logits:], last[:, -n_logits:]

    def respond(self, choices: Tensor) -> list[list[int]]:
        """Greedy responses, of the choices at the tokens of the draft, (n, len(ids) + 1)."""
        owner, ends = self.draft, end_ids(self.model)
        shared = self._shared(choices, ends)
        if shared is None:
            return [list(owner.ids)] * self.n
        new = [[*owner.ids[:shared], int(row[shared])] for row in choices.cpu()]
        embed = self.model.hf.get_input_embeddings()
        while len(new[0]) < owner.limit and not all(ends & {*row} for row in new):
            position = owner.n_prompt - 1 + len(new[0])
            token = torch.tensor([[row[-1]] for row in new], device=self.model.device)
            states = self._shifted(0, embed(token), position)
            last = self._blocks(0, states, position, position + 1)
            for row, choice in zip(new, self.model.unembed(last[:, 0]).argmax(-1).tolist(), strict=True):
                row.append(choice)
        return [until_end(self.model, row) for row in new]

    def _shared(self, choices: Tensor, ends: set[int]) -> int | None:
        """Number of tokens of the draft that every row chooses; None where every row chooses all, and then ends."""
        ids = self.draft.ids
        agree = (choices[:, : len(ids)].cpu() == torch.tensor(ids)).all(0)
        if not bool(agree.all()):
            return int((~agree).nonzero()[0])
        over = len(ids) == self.draft.limit or all(int(row[len(ids)]) in ends for row in choices)
        return None if over else len(ids)

    def _shifted(self, layer: int, states: Tensor, start: int) -> Tensor:
        for shift in self.shifts:
            states = shift.add(states, start) if shift.layer == layer else states
        return states

    def _blocks(self, layer: int, states: Tensor, start: int, stop: int) -> Tensor:
        """States of the last layer of some positions, from those of a layer; their keys and values are stored."""
        self.start, self.stop, self.states = start, stop, {layer: states}
        part = cut(self.draft.recording, start, stop)
        for i in range(layer, self.model.n_layers):
            states = states + part.between[i] if i in part.between else states
            args, kwargs = part.calls[i]
            states = output_states(self.model.blocks[i](states, *args, **kwargs))
            states = self.states[i + 1] = self._shifted(i + 1, states, start)
        return states

    def attend(self, call: Call) -> Any:
        start, stop, mask = self.start, self.stop, self.draft.masks[call.layer]
        keys, values = self.keys[call.layer], self.values[call.layer]
        keys[:, :, start:stop], values[:, :, start:stop] = call.key, call.value
        if mask is not None:
            mask = mask[:, :, start:stop, :stop]
        elif start and stop - start > 1:
            mask = torch.ones(stop - start, stop, dtype=torch.bool, device=keys.device).tril(start)[None, None]
        return call.run(keys[:, :, :stop], values[:, :, :stop], mask)


def draft(model: Model, prompt: Mapping[str, Any], ids: Sequence[int], max_new_tokens: int) -> Draft | None:
    """Record a pass over a prompt and a draft of its response, under the interventions in force.

    Parameters
    ----------
    model
        The model.
    prompt
        Inputs of one row, from :meth:`nbtoolkit.models.Model.inputs`.
    ids
        The draft, such as the unedited response.
    max_new_tokens
        Longest response, in sub-tokens.

    Returns
    -------
    Draft or None
        None where a pass of the model cannot be continued like this, which is measured once per model.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> from nbtoolkit.models.generation import respond
    >>> model, image = nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"]
    >>> prompt = model.inputs([image])
    >>> (ids,) = respond(model, prompt, 40)
    >>> draft(model, prompt, ids, 40).run([], 1)[1] == [ids]
    True
    """
    if model.encoder_decoder or not ids or len(ids) > max_new_tokens:
        return None
    longest = getattr(model.hf.config.get_text_config(decoder=True), "max_position_embeddings", None)
    if longest and prompt["input_ids"].shape[1] + max_new_tokens > longest:
        return None
    filled = [*ids, *[ids[-1]] * (max_new_tokens - len(ids))]  # positions that a longer response takes
    recording = record(model, model.extend(dict(prompt), [filled]))
    n_prompt = recording.n_positions - max_new_tokens
    prefix = read_prefix(model, recording)
    if prefix is None:
        return None
    with inference(model.hf):
        own = model.hf.get_input_embeddings()(torch.tensor([filled], device=model.device))
    if not {*range(n_prompt - 1, recording.n_positions)} <= {*prefix.ends} or not is_close(
        own, recording.stream[0][:, n_prompt:]
    ):
        return None
    result = Draft(model, tuple(ids), n_prompt, prefix, prefix.masks)
    return result if _equals(result, prompt) else None


def _equals(owner: Draft, prompt: Mapping[str, Any]) -> bool:
    """Whether an edited response equals the model's own, measured with a random vector at every position of a middle layer."""
    model, recording = owner.model, owner.recording
    measured = _EQUAL.setdefault(model.hf, {})
    way = (recording.conditions, tuple(recording.between))
    if way in measured:
        return measured[way]
    layer = model.n_layers // 2
    own = recording.stream[layer].float()
    noise = torch.randn(1, model.d_model, generator=torch.Generator().manual_seed(0)).to(own.device) * own.std()
    shift = Shift(layer, noise, torch.ones(recording.n_positions))
    last: list[Tensor] = []

    def visit(here: int, hidden: Tensor) -> Tensor | None:
        if here == model.n_layers:
            last.append(hidden[:, -1])
        return shift.add(hidden, 0) if here == layer else None

    run = _Run(Draft(model, owner.ids[:1], owner.n_prompt, owner.prefix, owner.masks), [shift], 1)
    with inference(model.hf), in_front(model, run.attend):
        _, first = run.over_draft(layer)
        (response,) = run.respond(model.unembed(first).argmax(-1))
        state = run.states[model.n_layers][:, -1]
    before = response[:-1] if len(response) == owner.limit else response  # behind it is the end
    with watching(model.blocks, visit):
        model.forward(model.extend(dict(prompt), [before]))
        generated = until_end(model, model.generate(dict(prompt), N_CHECKED)[0, -N_CHECKED:].tolist())
    measured[way] = is_close(state, last[0]) and response[: len(generated)] == generated
    return measured[way]
