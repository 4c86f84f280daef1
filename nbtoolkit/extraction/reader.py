"""One shard of an extraction: caption images, or read given captions, and keep the states at the token."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import ModelError, first_line
from ..models.generation import greedy, states_at, teacher_forced
from ..models.hooks import LastPosition
from ..models.responses import until_end
from ..text.tokens import find_tokens, may_complete, tokenize_response
from ..text.words import contains, normalize
from .batch_limits import BatchLimit
from .image_batches import Batch, batches, prepare
from .options import ReadingPlan

if TYPE_CHECKING:
    from ..models import Model

AUTO = 32  # initial images per batch of batch_size="auto"


@dataclass
class Rows:
    """Rows of a shard, and why the other samples are excluded.

    Attributes
    ----------
    states : (n, n_layers, d_model)
        States of the rows; empty where there is none.
    ids, captions, positions
        Of each row.
    skipped
        Sample id to the reason.
    images
        Sample id to the hash of the bytes of its image, of rows and excluded samples.
    """

    states: Any = ()
    ids: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)


class Reader:
    """Runs a model over samples, batch after batch; the next batch is decoded and preprocessed meanwhile.

    Parameters
    ----------
    model, data
        The model; the data set with undecoded images (:func:`nbtoolkit.data.raw_images`).
    plan
        The token, the layers and the options.
    cancel
        When set, the next batch is not started.

    Attributes
    ----------
    batch_size
        Images per batch. Where memory runs out it is halved, and stays so.
    """

    def __init__(self, model: Model, data: Any, plan: ReadingPlan, cancel: threading.Event | None = None) -> None:
        self.model, self.data, self.plan, self.cancel = model, data, plan, cancel
        size = plan.options.batch_size
        self.batch_size = AUTO if size == "auto" else int(size)
        self._may_complete = functools.cache(lambda i: may_complete(i, plan.token_ids, model.tokenizer.decode))
        self._buffer: Any = None
        self._limit = BatchLimit(model, plan.options.max_new_tokens)

    def shard(self, indices: Sequence[int], advance: Callable[[int], None] = lambda _: None) -> Rows:
        """Read samples.

        Parameters
        ----------
        indices
            Rows of the data set.
        advance
            Called with the number of samples that are done.
        """
        rows, cells = Rows(), self.data.select(indices)
        order = {i: k for k, i in enumerate(cells["id"])}
        picks: list[tuple[int, Rows, int]] = []  # (row of the data, rows of a batch, row in the batch)
        excluded, cancel = rows.skipped, self.cancel
        for batch in batches(self.model, cells, self.plan.prompt, self.batch_size, excluded, cancel, rows.images):
            for part in self._read_in_memory(batch):
                picks += [(order[i], part, k) for k, i in enumerate(part.ids)]
                rows.skipped |= part.skipped
                advance(len(rows.skipped) + len({pick[0] for pick in picks}))
        picks.sort(key=lambda pick: pick[0])  # batches go by image size; rows by row of the data
        for _, part, k in picks:
            rows.ids.append(part.ids[k])
            rows.captions.append(part.captions[k])
            rows.positions.append(part.positions[k])
        rows.skipped = dict(sorted(rows.skipped.items(), key=lambda item: order[item[0]]))
        if picks:
            rows.states = np.stack([part.states[k] for _, part, k in picks])
        return rows

    def _read_in_memory(self, batch: Batch) -> Iterator[Rows]:
        """Read a batch; where memory runs out, halve the batch size, and keep the size that fits."""
        waiting = [batch]
        while waiting:
            batch = waiting[0]
            n = self._limit.images(batch.inputs, self.batch_size)
            if len(batch.samples) > n:
                waiting[:1] = self._split(batch, n)
                continue
            try:
                with self._limit.reading(batch.inputs, n < self.batch_size):
                    rows = self._read(batch)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "allocate memory" not in str(error):
                    raise
                if len(batch.samples) == 1:
                    raise ModelError(
                        f"Memory runs out with a single image ({first_line(error)}). Load the model with dtype='bfloat16', "
                        "or choose a smaller one."
                    ) from error
                self.batch_size, self._buffer = len(batch.samples) // 2, None
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                continue
            yield rows
            del waiting[0]

    def _split(self, batch: Batch, n: int) -> list[Batch]:
        """Take the first n images of a batch, and the others as a further one, whose size is decided when it is read."""
        cuts = (slice(None, n), slice(n, None))
        parts = [prepare(self.model, batch.samples[cut], batch.images[cut], self.plan.prompt) for cut in cuts]
        return [b for part in parts for b in part]

    # --- one batch -------------------------------------------------------------------------------------

    def _read(self, batch: Batch) -> Rows:
        inputs, options = self.model.place(batch.inputs), self.plan.options
        if options.where == "visual":
            return self._read_image_positions(batch, inputs)
        read = self._read_given if options.captions == "given" else self._generate
        ids, texts, states = read(batch, inputs)
        picks: list[tuple[int, int]] = []  # (step, row of the batch)
        rows = Rows()
        for j, sample in enumerate(batch.samples):
            positions = find_tokens(ids[j], self.plan.token_ids, self.model.tokenizer.decode)
            shift = int(options.where == "token")
            usable = [k for k in positions if k + shift < states.shape[1]]
            if not usable:
                rows.skipped[sample["id"]] = self._reason(texts[j], bool(positions))
                continue
            text = self.model.decode(ids[j][: usable[0] + 1]).strip() if options.stops_early else texts[j]
            for k in usable if options.which == "all" else usable[:1]:
                picks.append((k + shift, j))
                rows.ids.append(sample["id"])
                rows.captions.append(text)
                rows.positions.append(k)
        if picks:
            steps, of = zip(*picks, strict=True)
            rows.states = self._to_host(states[:, list(steps), list(of)], rows.ids)
        return rows

    def _reason(self, text: str, ends_with_token: bool) -> str:
        if ends_with_token:
            return f"{text!r} ends with the token, which has no state of its own there"
        if self.plan.options.captions == "given":
            return f"the token is not a sub-token sequence of {text!r}"
        return f"the token is not in the response {text!r}"

    def _to_host(self, states: Any, ids: Sequence[str]) -> np.ndarray:
        """Copy (n_layers, n, d_model) to the host at once, as (n, n_layers, d_model); refuse overflow."""
        array = np.ascontiguousarray(states.transpose(0, 1).cpu().numpy())
        dtype = self.plan.options.dtype
        with np.errstate(over="ignore"):
            array = array.astype(dtype, copy=False)
        overflow = np.argwhere(~np.isfinite(array).all(2))
        if len(overflow):
            row, layer = overflow[0]
            kind = str(self.model.hf.dtype) if not bool(states[layer, row].isfinite().all()) else dtype
            raise ModelError(
                f"The states of sample {ids[row]!r} overflow {kind} at layer {self.plan.layers[layer]}; expected finite "
                "numbers. Load the model with dtype='float32' or 'bfloat16', and keep dtype='float32'."
            )
        return array

    def _generate(self, batch: Batch, inputs: dict[str, Any]) -> tuple[list[list[int]], list[str], Any]:
        """Caption greedily; states (layer, step, row): step s is the position that predicts new token s."""
        states = LastPosition(self.plan.layers, self.plan.options.max_new_tokens, self._buffer)
        new = greedy(self.model, inputs, states, self._contains_token if self.plan.options.stops_early else None)
        self._buffer = states.buffer
        ids = [until_end(self.model, row) for row in new]
        return ids, [self.model.decode(row).strip() for row in ids], states.buffer[:, : states.steps]

    def _contains_token(self, new: list[list[int]]) -> list[bool]:
        """Which rows contain the token and a piece after it: only then it is certain to be a whole word."""
        decode = self.model.tokenizer.decode
        return [
            len(row) > 1
            and self._may_complete(row[-2])
            and any(k < len(row) - 1 for k in find_tokens(row, self.plan.token_ids, decode))
            for row in new
        ]

    def _read_given(self, batch: Batch, inputs: dict[str, Any]) -> tuple[list[list[int]], list[str], Any]:
        """One pass over prompt and given captions; states as of :meth:`_generate`."""
        texts = [next(c for c in s["captions"] if contains(self.plan.words, c)) for s in batch.samples]
        ids = [tokenize_response(self.model.tokenizer, t) for t in texts]
        decoded = [self.model.decode(row).strip() for row in ids]
        return ids, decoded, teacher_forced(self.model, inputs, ids, self.plan.layers)

    def _read_image_positions(self, batch: Batch, inputs: dict[str, Any]) -> Rows:
        """Per image, the first of its positions whose last layer unembeds to the token (Appendix G), in two passes."""
        mask = self.model.image_mask(inputs)
        words = {normalize(word).casefold() for word in self.plan.words}
        last = states_at(self.model, inputs, [self.model.n_layers], mask)  # per row: (1, n_positions, d_model)
        rows, picked = Rows(), torch.zeros_like(mask)
        for j, sample in enumerate(batch.samples):
            best = self.model.unembed(last[j][0]).argmax(-1).tolist()
            text = {i: normalize(self.model.tokenizer.decode([i])).strip().casefold() for i in set(best)}
            hits = [position for position, i in enumerate(best) if text[i] in words]
            if not hits:
                rows.skipped[sample["id"]] = "no position of the image unembeds to the token"
                continue
            for hit in hits if self.plan.options.which == "all" else hits[:1]:
                picked[j, mask[j].nonzero()[hit]] = True
                rows.ids.append(sample["id"])
                rows.captions.append(next(c for c in sample["captions"] if contains(self.plan.words, c)))
                rows.positions.append(hit)
        if rows.ids:
            states = states_at(self.model, inputs, self.plan.layers, picked)
            rows.states = self._to_host(torch.cat(states, 1), rows.ids)
        return rows
