"""From captioned pictures to representations: the residual stream where the model says the token, every layer in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import captioned, raw_images
from .errors import DataError, ModelError, TokenError
from .progress import bar
from .provenance import fingerprint, versions
from .reading import Reader, Rows
from .store import ShardStore
from .tokens import contains, frequent_words, subtoken_variants
from .types import Representations, Source

if TYPE_CHECKING:
    from .models import Model

SHARD = 256  # candidates a shard: what a killed run loses at most


def extract(model: Model, data: Any, token: str, *, layers: str | Sequence[int] = "all", batch_size: int | str = "auto",
            out: Any = None, progress: bool | Callable[[int, int], None] = True, captions: str = "generate",
            prompt: str | None = None, max_new_tokens: int = 40) -> Representations:  # fmt: skip
    """Collect the model's representations of a token: one residual-stream vector a picture and layer.

    A sample counts where the token is a whole word of one of its captions *and* of what the model says; the vector
    is read at the first position whose *output* is the token (for several sub-tokens: the last one's).

    Parameters
    ----------
    model
        A model of :func:`nbtoolkit.load_model`.
    data
        Pictures with captions: what :func:`nbtoolkit.load_data` gives, or what it takes.
    token
        The word (or words) of interest.
    layers
        ``"all"`` (0 … n_layers) or the layers to keep; negative ones count from the last.
    batch_size
        Pictures a batch; ``"auto"`` starts at 32 and halves when memory runs out.
    out
        Folder for finished shards: calling again with the same folder computes only what is missing.
    progress
        Show a bar, or call ``progress(done, total)`` after each batch.
    captions
        ``"generate"``: the model captions the pictures greedily. ``"given"``: one teacher-forced pass over the
        data's own captions (about half the cost), the first that contains the token.
    prompt
        What the model is asked; its default otherwise.
    max_new_tokens
        Longest caption, in sub-tokens.

    Returns
    -------
    Representations
        ``states`` (n_samples, n_layers + 1, d_model) float32; samples left out are in ``skipped``, with the reason.

    Raises
    ------
    TokenError
        No caption contains the token, or the model never says it.
    DataError
        None of the candidates' pictures can be read.

    References
    ----------
    Parekh et al. 2024, sections 3.1 and D.1 (several sub-tokens).

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.extract(nbt.load_model("toy"), nbt.load_data("toy", n=60), "bus", progress=False).states.shape[1:]
    (6, 128)
    """
    if captions not in ("generate", "given"):
        raise DataError(f"captions is {captions!r}; expected 'generate' or 'given'.")
    if batch_size != "auto" and not (isinstance(batch_size, int) and batch_size >= 1):
        raise DataError(f"batch_size is {batch_size!r}; expected 'auto' or a whole number of at least 1.")
    if not max_new_tokens >= 1:
        raise DataError(f"max_new_tokens is {max_new_tokens!r}; expected a whole number of at least 1.")
    data, kept = captioned(data), _layers(model, layers)
    candidates = _candidates(data, token)
    variants = subtoken_variants(model.tokenizer, token)
    source = Source(model.name, model.revision, token, variants, model.text(prompt), "given captions" if captions == "given" else "greedy",
                    data=fingerprint(data, candidates), n_candidates=len(candidates), versions=versions())  # fmt: skip
    store = None if out is None else ShardStore(out, {"model": source.model, "revision": source.revision, "token": token, "prompt": source.prompt,
                                                      "decoding": source.decoding, "data": source.data, "layers": list(kept),
                                                      "max_new_tokens": max_new_tokens})  # fmt: skip
    job = Reader(model, raw_images(data), kept, variants, prompt, max_new_tokens, captions == "given", token)
    rows, done = Rows(), 0
    with bar(progress, len(candidates), f"reading {token!r}") as advance:
        for index, start in enumerate(range(0, len(candidates), SHARD)):
            shard = candidates[start : start + SHARD]
            part = _load(store, index)
            if part is None:
                part = Rows()
                for batch in job.batches(shard, batch_size):
                    part.add(batch)
                    advance(done + len(part.ids) + len(part.skipped))
                _save(store, index, part)
            done += len(shard)
            advance(done)
            rows.add(part)
    return _finish(rows, data, token, kept, model, source)


def _finish(rows: Rows, data: Any, token: str, kept: tuple[int, ...], model: Model, source: Source) -> Representations:
    if not rows.ids:
        unread = [i for i, why in rows.skipped.items() if "cannot be read" in why]
        if len(unread) == len(rows.skipped):
            first = f"{unread[0]!r}: {rows.skipped[unread[0]]}"
            raise DataError(
                f"None of the {len(unread)} pictures whose caption contains {token!r} can be read (first: {first})."
            )
        example = next(why for why in rows.skipped.values() if "cannot be read" not in why)
        if source.decoding == "given captions":
            raise TokenError(
                f"No given caption has {token!r} as a sequence of whole sub-tokens (for example, {example})."
            )
        raise TokenError(f"The model never says {token!r}: {len(rows.skipped)} pictures have it in a caption, none in the model's own "
                         f"(for example, {example}). Try a word that it uses, or captions='given'.")  # fmt: skip
    where, texts = {i: k for k, i in enumerate(data["id"])}, data["captions"]
    references = tuple(tuple(texts[where[i]]) for i in rows.ids)
    return Representations(np.stack(rows.states), tuple(rows.ids), tuple(rows.captions), tuple(rows.positions), references, kept,
                           model.n_layers, rows.skipped, source)  # fmt: skip


def _layers(model: Model, layers: str | Sequence[int]) -> tuple[int, ...]:
    if isinstance(layers, str):
        if layers != "all":
            raise ModelError(
                f"layers is {layers!r}; expected 'all' or a list of layers between 0 and {model.n_layers}."
            )
        return tuple(range(model.n_layers + 1))
    kept = tuple(sorted({layer + model.n_layers + 1 if layer < 0 else layer for layer in layers}))
    if not kept or kept[0] < 0 or kept[-1] > model.n_layers:
        raise ModelError(
            f"layers is {list(layers)}; expected layers between 0 and {model.n_layers} (or negative ones from the end)."
        )
    return kept


def _candidates(data: Any, token: str) -> list[int]:
    """Rows whose captions contain the token: only these are captioned by the model."""
    if not isinstance(token, str) or not token.strip():
        raise TokenError(f"The token is {token!r}; expected a word, such as 'dog'.")
    captions = data["captions"]
    rows = [i for i, group in enumerate(captions) if any(contains(token, c) for c in group)]
    if not rows:
        words = ", ".join(frequent_words(captions)) or "none: the captions are empty"
        raise TokenError(f"No sample's caption contains {token!r}; the most frequent words are {words}.")
    return rows


def _load(store: ShardStore | None, index: int) -> Rows | None:
    found = store.load(index) if store else None
    if found is None:
        return None
    arrays, facts = found
    n = len(facts["ids"])
    states = [np.stack([arrays[k][i] for k in sorted(arrays)]) for i in range(n)]
    return Rows(states, facts["ids"], facts["captions"], facts["positions"], facts["skipped"])


def _save(store: ShardStore | None, index: int, rows: Rows) -> None:
    if store is None:
        return
    stack = np.stack(rows.states) if rows.states else np.zeros((0, 0, 0), np.float32)
    facts = {"ids": rows.ids, "captions": rows.captions, "positions": rows.positions, "skipped": rows.skipped}
    store.save(index, {f"layer.{k:03d}": stack[:, k] for k in range(stack.shape[1])}, facts)
