"""From captioned pictures to representations: the residual stream where the model says the token, every layer in one pass."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import captioned, raw_images
from .errors import DataError, ModelError, NothingFoundError, TokenError
from .progress import bar
from .provenance import fingerprint, versions, weights
from .reading import Reader, Rows, Settings
from .shards import ShardStore
from .tokens import contains, frequent_words, spellings, subtoken_variants
from .types import Representations, Source

if TYPE_CHECKING:
    from .models import Model

SHARD = 256  # candidates a shard: what a killed run loses at most


def extract(model: Model, data: Any, token: str, *, layers: str | Sequence[int] = "all", batch_size: int | str = "auto",
            out: Any = None, progress: bool | Callable[[int, int], None] = True, captions: str = "generate",
            prompt: str | None = None, max_new_tokens: int = 40, where: str = "predict", which: str = "first",
            variants: str | Sequence[str] = (), stop_early: bool = True, dtype: str = "float32", engine: Any = None,
            cancel: threading.Event | None = None) -> Representations:  # fmt: skip
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
        Pictures a batch; ``"auto"`` starts at 32. It is halved, and stays so, where memory runs out.
    out
        Folder for finished shards: calling again with the same folder computes only what is missing, and ``states``
        is mapped from it, so that memory does not grow with the number of samples.
    progress
        Show a bar, or call ``progress(done, total)`` after each batch.
    captions
        ``"generate"``: the model captions the pictures greedily. ``"given"``: one teacher-forced pass over the
        data's own captions (about half the cost), the first that contains the token.
    prompt
        What the model is asked; its default otherwise.
    max_new_tokens
        Longest caption, in sub-tokens.
    where
        ``"predict"``: the position whose output is the token (the paper's choice). ``"token"``: the position at which
        the token is read back. ``"visual"``: no caption is made; the first picture position whose last layer
        unembeds to the token (Appendix G), and ``positions`` counts within the picture.
    which
        ``"first"`` occurrence, or ``"all"``: then a sample has a row for each.
    variants
        What else counts as the token: ``"plural"``, or a list of words.
    stop_early
        End a row of a batch once it has said the token: captions then end there. Off, they are whole.
    dtype
        Number format of the states that are kept: ``"float32"``, or ``"float16"`` (half the disk; overflow is refused).
    engine
        ``None``: this process. ``"dask"``: a local Dask cluster. A ``dask.distributed.Client`` or a scheduler's
        address: that cluster; ``out`` must then be a folder that all its machines see.
    cancel
        An event: when it is set, the run ends with :class:`nbtoolkit.errors.Cancelled` before the next batch.

    Returns
    -------
    Representations
        ``states`` (n_samples, n_layers + 1, d_model); samples left out are in ``skipped``, with the reason.

    Raises
    ------
    TokenError
        No caption contains the token, or the model never says it.
    DataError
        None of the candidates' pictures can be read.
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
    _check_options(captions=(captions, ("generate", "given")), where=(where, ("predict", "token", "visual")),
                   which=(which, ("first", "all")), dtype=(dtype, ("float32", "float16")))  # fmt: skip
    if batch_size != "auto" and not (isinstance(batch_size, int) and batch_size >= 1):
        raise DataError(f"batch_size is {batch_size!r}; expected 'auto' or a whole number of at least 1.")
    if not max_new_tokens >= 1:
        raise DataError(f"max_new_tokens is {max_new_tokens!r}; expected a whole number of at least 1.")
    data, kept, words = captioned(data), _layers(model, layers), spellings(token, variants)
    raw = raw_images(data)
    candidates = _candidates(data, words)
    settings = Settings(words, subtoken_variants(model.tokenizer, words), kept, prompt, max_new_tokens, captions == "given",
                        where, which, stop_early, dtype)  # fmt: skip
    if where == "visual" and not any(len(v) == 1 for v in settings.variants):
        pieces = [model.tokenizer.decode([i]) for i in settings.variants[0]]
        raise TokenError(f"where='visual' needs a word of one sub-token; {token!r} has {pieces}.")
    decoding = {"given": "given captions", "generate": "greedy"}[captions] if where != "visual" else "none"
    source = Source(model.name, model.revision, token, settings.variants, model.text(prompt), decoding, where,
                    data=fingerprint(raw, candidates), n_candidates=len(candidates), max_new_tokens=max_new_tokens, versions=versions())  # fmt: skip
    shards = [candidates[i : i + SHARD] for i in range(0, len(candidates), SHARD)]
    with bar(progress, len(candidates), f"reading {token!r}") as advance:
        reader = Reader(model, raw, settings, batch_size, cancel)
        if engine is None and out is None:
            return _in_memory(reader, shards, advance, data, source)
        store = _store(out, model, source, settings)
        with store.lock():
            if engine is None:
                manifest = _on_disk(reader, shards, advance, store)
            else:
                from .cluster import run

                manifest = run(engine, model, raw, settings, batch_size, store, shards, advance, cancel)
            states, columns, skipped = store.gather(manifest)
            return _finish(states, columns, skipped, data, model, source, kept)


def _on_disk(
    reader: Reader, shards: Sequence[Sequence[int]], advance: Callable[[int], None], store: ShardStore
) -> list[dict[str, Any]]:
    """Read the shards that are not on disk, or damaged; give all of them as rows of the manifest."""
    manifest, done = [], 0
    for index, shard in enumerate(shards):
        row = store.row(index) or store.save(index, reader.shard(shard, _after(done, advance)), reader.model.d_model)
        manifest.append(row)
        done += len(shard)
        advance(done)
    return manifest


def _after(begun: int, advance: Callable[[int], None]) -> Callable[[int], None]:
    return lambda n: advance(begun + n)


def _in_memory(
    reader: Reader, shards: Sequence[Sequence[int]], advance: Callable[[int], None], data: Any, source: Source
) -> Representations:
    parts: list[Rows] = []
    done = 0
    for shard in shards:
        parts.append(reader.shard(shard, _after(done, advance)))
        done += len(shard)
        advance(done)
    columns = {name: [x for part in parts for x in getattr(part, field)] for name, field in
               (("id", "ids"), ("caption", "captions"), ("position", "positions"))}  # fmt: skip
    skipped = {k: v for part in parts for k, v in part.skipped.items()}
    states = [part.states for part in parts if part.ids]
    return _finish(
        np.concatenate(states) if states else None, columns, skipped, data, reader.model, source, reader.settings.layers
    )


def _store(out: Any, model: Model, source: Source, settings: Settings) -> ShardStore:
    if out is None:
        raise DataError("engine= needs out=, a folder that every worker sees: the workers write their shards there.")
    pictures = type(getattr(model.processor, "image_processor", None)).__name__
    return ShardStore(out, {"model": source.model, "revision": source.revision, "weights": weights(model.hf), "number format": str(model.hf.dtype),
                            "image processor": pictures, "token": source.token, "words": settings.words, "prompt": source.prompt, "decoding": source.decoding,
                            "where": settings.where, "which": settings.which, "stop_early": settings.stop_early, "kept as": settings.dtype, "data": source.data,
                            "layers": list(settings.layers), "max_new_tokens": settings.max_new_tokens, "shard": SHARD}, settings.layers)  # fmt: skip


def _finish(states: Any, columns: dict[str, list[Any]], skipped: dict[str, str], data: Any, model: Model, source: Source,
            layers: tuple[int, ...]) -> Representations:  # fmt: skip
    token = source.token
    if not columns["id"]:
        unread = [i for i, why in skipped.items() if "cannot be read" in why]
        if len(unread) == len(skipped):
            first = f"{unread[0]!r}: {skipped[unread[0]]}"
            raise DataError(
                f"None of the {len(unread)} pictures whose caption contains {token!r} can be read (first: {first})."
            )
        example = next(why for why in skipped.values() if "cannot be read" not in why)
        if source.decoding == "given captions":
            raise NothingFoundError(
                f"No given caption has {token!r} as a sequence of whole sub-tokens (for example, {example})."
            )
        if source.where == "visual":
            raise NothingFoundError(
                f"In none of {len(skipped)} pictures a position unembeds to {token!r} at the last layer. Try where='predict'."
            )
        raise NothingFoundError(f"The model never says {token!r}: {len(skipped)} pictures have it in a caption, none in the model's own "
                         f"(for example, {example}). Try a word that it uses, or captions='given'.")  # fmt: skip
    place = {i: k for k, i in enumerate(data["id"])}
    texts = data.select_columns(["captions"]).select([place[i] for i in columns["id"]])
    references = [tuple(group) for part in texts.iter(1000) for group in part["captions"]]
    return Representations(states, tuple(columns["id"]), tuple(columns["caption"]), tuple(columns["position"]), tuple(references), layers,
                           model.n_layers, skipped, source)  # fmt: skip


def _check_options(**options: tuple[Any, tuple[str, ...]]) -> None:
    for name, (value, known) in options.items():
        if value not in known:
            raise DataError(f"{name} is {value!r}; expected {' or '.join(map(repr, known))}.")


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


def _candidates(data: Any, words: Sequence[str]) -> list[int]:
    """Rows whose captions contain the token: only these are captioned by the model."""
    rows: list[int] = []
    start = 0
    for part in data.select_columns(["captions"]).iter(1000):
        rows += [start + k for k, group in enumerate(part["captions"]) if any(contains(words, c) for c in group)]
        start += len(part["captions"])
    if not rows:
        known = ", ".join(frequent_words(data["captions"])) or "none: the captions are empty"
        raise TokenError(f"No sample's caption contains {words[0]!r}; the most frequent words are {known}.")
    return rows
