"""``extract``: captioned images to representations, in memory, on disk or on a cluster."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ..data.loading import captioned, image_counts, raw_images
from ..errors import DataError, NothingFoundError, TokenError
from ..models.budget import limited
from ..models.decoding import end_ids, generation_overrides
from ..models.peft_adapters import active_adapters
from ..progress import bar
from ..storage.provenance import fingerprint, versions, weights
from ..text.tokens import subtoken_variants
from ..text.words import contains, frequent_words, spellings
from ..types import Representations, Source, resolve_layers
from ..types.arguments import checked
from .dask_cluster import read_on_cluster
from .estimates import announce
from .options import ReadingOptions, ReadingPlan, reading_options
from .probe import probe
from .questions import check_prompts, questions_by_id
from .reader import Reader
from .runs import Columns, in_memory, on_disk
from .shards import ShardStore

if TYPE_CHECKING:
    from ..models import Model

SHARD = 256  # candidates per shard: the most that a killed run loses


@checked
def extract(
    model: Model,
    data: Any,
    token: str,
    *,
    out: str | os.PathLike[str] | None = None,
    progress: bool | Callable[[int, int], None] = True,
    engine: Any = None,
    cancel: threading.Event | None = None,
    options: ReadingOptions | None = None,
    **reading: Any,
) -> Representations:
    """Collect the model's representations of a token: one residual-stream vector per image and layer.

    A sample counts where the token is a whole word of one of its captions *and* of the model's response; the vector
    is read at the first position whose *output* is the token (for several sub-tokens: the last one's).

    Parameters
    ----------
    model
        A model of :func:`nbtoolkit.load_model`.
    data
        Captioned images: what :func:`nbtoolkit.load_data` returns, or what it takes.
    token
        The word (or words) of interest.
    out
        Folder for completed shards: calling again with the same folder computes only what is missing, and ``states``
        is memory-mapped from it, so that memory does not grow with the number of samples.
    progress
        Show a bar, or call ``progress(done, total)`` after each batch.
    engine
        ``None``: this process. ``"dask"``: a local Dask cluster. A ``dask.distributed.Client`` or a scheduler's
        address: that cluster; ``out`` must then be a folder that all its machines see.
    cancel
        An event: when it is set, the run ends with :class:`nbtoolkit.errors.Cancelled` before the next batch.
    options
        Reading options as one object.
    **reading
        Single reading options by name, over ``options``: ``layers, batch_size, captions, prompt, max_new_tokens, where,
        which, variants, stop_early, dtype, max_image_tokens``; see :class:`nbtoolkit.extraction.ReadingOptions`.

    Returns
    -------
    Representations
        ``states`` (n_samples, n_layers + 1, d_model); excluded samples are in ``skipped``, with the reason.

    Raises
    ------
    TokenError
        No caption contains the token, or no response does.
    ModelError
        ``max_image_tokens`` is below what the family can do.
    DataError
        None of the candidates' images can be read, an option has another value, or the model cannot use a prompt.
    LayerError
        A layer that the model does not have.
    StudyError
        ``out`` holds something else, is being written by another run, or cannot be written.

    References
    ----------
    Parekh et al. 2024, sections 3.1, D.1 (several sub-tokens) and G (visual tokens).

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.extract(nbt.load_model("toy"), nbt.load_data("toy", n=60), "bus", progress=False).states.shape[1:]
    (6, 128)
    """
    chosen = reading_options(options, reading)
    if chosen.max_image_tokens is not None:
        model = limited(model, chosen.max_image_tokens)
    layers = _layers(model, chosen)
    data, words = captioned(data), spellings(token, chosen.variants)
    raw = raw_images(data)
    candidates = _candidates(data, words)
    questions = questions_by_id(chosen.prompt, data, candidates)
    n_images = image_counts(raw, candidates)
    rendered = check_prompts(model, cast("str | None", chosen.prompt), questions, n_images)
    plan = ReadingPlan(words, subtoken_variants(model.tokenizer, words), layers, chosen, questions)
    if chosen.where == "visual" and not any(len(ids) == 1 for ids in plan.token_ids):
        pieces = [model.tokenizer.decode([i]) for i in plan.token_ids[0]]
        raise TokenError(f"where='visual' needs a word of one sub-token; {token!r} has {pieces}.")
    source = Source(
        model.name,
        model.revision,
        token,
        plan.token_ids,
        rendered,
        chosen.decoding,
        chosen.where,
        data=fingerprint(raw, candidates),
        n_candidates=len(candidates),
        max_new_tokens=chosen.max_new_tokens,
        versions=versions(),
        generation_overrides=generation_overrides(model.hf) if chosen.decoding == "greedy" else (),
        system=model.system,
        questions=questions,
        adapters=active_adapters(model.hf),
        n_images=max(n_images),
        max_image_tokens=model.image_limit.tokens,
        image_options=model.image_limit.options,
    )
    shards = [candidates[i : i + SHARD] for i in range(0, len(candidates), SHARD)]
    announce(model, raw, candidates, chosen, progress)
    with bar(progress, len(candidates), f"extracting {token!r}") as advance:
        reader = Reader(model, raw, plan, cancel)
        if engine is None and out is None:
            rows, images = in_memory(reader, shards, advance)
        else:
            rows, images = _stored(reader, _store(out, model, source, plan), engine, shards, advance)
    if len(images) == len(candidates):  # shards of 0.2 in development have no hashes
        source = dataclasses.replace(source, data=fingerprint(raw, candidates, images))
    return _representations(*rows, data, model, source, layers)


def _layers(model: Model, options: ReadingOptions) -> tuple[int, ...]:
    layers = resolve_layers(options.layers, model.n_layers)
    if not layers:
        raise DataError("layers is an empty list; expected 'all' or at least one layer to keep.")
    return layers


def _candidates(data: Any, words: Sequence[str]) -> list[int]:
    """Rows whose captions contain the token: only these are captioned by the model."""
    rows: list[int] = []
    start = 0
    for part in data.select_columns(["captions"]).iter(1000):
        rows += [start + k for k, group in enumerate(part["captions"]) if any(contains(words, c) for c in group)]
        start += len(part["captions"])
    if not rows:
        frequent = ", ".join(frequent_words(data["captions"])) or "none: the captions are empty"
        raise TokenError(f"No sample's caption contains {words[0]!r}; the most frequent words are {frequent}.")
    return rows


def _stored(
    reader: Reader, store: ShardStore, engine: Any, shards: Sequence[Sequence[int]], advance: Callable[[int], None]
) -> tuple[tuple[Any, Columns, dict[str, str]], dict[str, str]]:
    """Rows of all shards, of which completed ones are not read again, and the hashes of their images by sample id."""
    read = on_disk if engine is None else functools.partial(read_on_cluster, engine)
    with store.lock():
        manifest = read(reader, store, shards, advance)
        rows = store.gather(manifest)
    return rows, {i: digest for row in manifest for i, digest in row.get("images", {}).items()}


def _store(out: Any, model: Model, source: Source, plan: ReadingPlan) -> ShardStore:
    if out is None:
        raise DataError("engine= needs out=, a folder that every worker sees: the workers write their shards there.")
    options = plan.options
    return ShardStore(
        out,
        {
            "model": source.model,
            "revision": source.revision,
            "adapters": source.adapters,
            "weights": weights(model.hf),
            "number format": str(model.hf.dtype),
            "image processor": type(getattr(model.processor, "image_processor", None)).__name__,
            "max_image_tokens": source.max_image_tokens,
            "token": source.token,
            "words": plan.words,
            "prompt": source.prompt,
            "questions": hashlib.sha256(repr(sorted(source.questions.items())).encode()).hexdigest()[:16]
            if source.questions
            else "",
            "decoding": source.decoding,
            "generation overrides": source.generation_overrides,
            "end ids": sorted(end_ids(model)),
            "where": options.where,
            "which": options.which,
            "stop_early": options.stop_early,
            "kept as": options.dtype,
            "data": source.data,
            "layers": list(plan.layers),
            "max_new_tokens": options.max_new_tokens,
            "shard": SHARD,
            "probe": probe(model),
        },
        plan.layers,
    )


# --- the result ------------------------------------------------------------------------------------------


def _representations(
    states: Any,
    columns: Mapping[str, list[Any]],
    skipped: Mapping[str, str],
    data: Any,
    model: Model,
    source: Source,
    layers: tuple[int, ...],
) -> Representations:
    if not columns["id"]:
        raise _nothing(source, skipped)
    row = {i: k for k, i in enumerate(data["id"][:])}
    texts = data.select_columns(["captions"]).select([row[i] for i in columns["id"]])
    references = tuple(tuple(group) for part in texts.iter(1000) for group in part["captions"])
    ids, captions, positions = (tuple(columns[name]) for name in ("id", "caption", "position"))
    return Representations(states, ids, captions, positions, references, layers, model.n_layers, skipped, source)


def _nothing(source: Source, skipped: Mapping[str, str]) -> Exception:
    """The error for an extraction without a row: why, with an example."""
    token = source.token
    unreadable = [i for i, why in skipped.items() if "cannot be read" in why]
    if len(unreadable) == len(skipped):
        first = f"{unreadable[0]!r}: {skipped[unreadable[0]]}"
        return DataError(
            f"None of the {len(unreadable)} images whose caption contains {token!r} can be read (first: {first})."
        )
    example = next(why for why in skipped.values() if "cannot be read" not in why)
    if source.decoding == "given captions":
        return NothingFoundError(
            f"No given caption has {token!r} as a sequence of whole sub-tokens (for example, {example})."
        )
    if source.where == "visual":
        return NothingFoundError(
            f"No position of {len(skipped)} images unembeds to {token!r} at the last layer. Try where='predict'."
        )
    return NothingFoundError(
        f"The model never says {token!r}: {len(skipped)} images have it in a caption, no response contains it "
        f"(for example, {example}). Try a word that the model uses, or captions='given'."
    )
