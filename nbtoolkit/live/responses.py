"""Responses to many images of a study: generated together where they are not in memory, and read in batches."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import Cancelled, NothingFoundError
from ..targets import Targets, mentions
from ..targets.joining import single

if TYPE_CHECKING:
    from .session import Session

N_RESPONSES = 32  # responses whose inputs stay in memory
CHUNK = 8  # images per pass of the model: the longest that a cancelled operation goes on


def respond(
    session: Session, images: Sequence[Any], captions: Sequence[str] | None, prompts: Sequence[str | None]
) -> Targets:
    """Responses of the model to images, those that contain the token, teacher-forced up to it.

    Parameters
    ----------
    session
        The session.
    images
        PIL images.
    captions
        The responses, where they are given; else the model generates them.
    prompts
        A question per image, or None for the model's own.
    """
    own = [prompt for prompt in prompts if prompt is not None]  # of all, or of none
    return mentions(
        session.model,
        images,
        session.study.token,
        variants=session.variants,
        answers=captions,
        prompt=own[0] if len({*own}) == 1 else own or None,
        max_new_tokens=session.study.source.max_new_tokens,
    )


def responses(session: Session, samples: Sequence[str]) -> dict[str, Targets]:
    """Responses to images that contain the token; those to images of the study are generated together.

    Parameters
    ----------
    session
        The session.
    samples
        Ids of at most 32 samples.
    """
    of_study = [s for s in dict.fromkeys(samples) if s in session.study.rows and s not in session.memory]
    for sample in session.memory.keys() & {*samples}:
        session.memory.move_to_end(sample)  # they stay
    new = _generated(session, of_study)
    hold(session, new)
    results = {}
    for sample in samples:
        if sample in of_study and sample not in new:
            continue  # the thumbnail is too small for what the full image shows
        with contextlib.suppress(NothingFoundError):
            results[sample] = new[sample] if sample in new else session.response(sample)
    return results


def hold(session: Session, new: Mapping[str, Targets]) -> None:
    """Hold responses in memory; the last 32 stay.

    Parameters
    ----------
    session
        The session.
    new
        Responses by sample.
    """
    session.memory.update(new)
    while len(session.memory) > N_RESPONSES:
        session.memory.popitem(last=False)


def _generated(session: Session, samples: list[str]) -> dict[str, Targets]:
    if not samples:
        return {}
    given = [session.study.sample(sample).caption for sample in samples] if session.given_captions else None
    images = [session.image_of(sample) for sample in samples]
    try:
        many = respond(session, images, given, [session.question_of(sample) for sample in samples])
    except NothingFoundError:
        return {}
    return {samples[row]: one for row, one in zip(many.rows, single(many), strict=True)}


def check_samples(session: Session, samples: Sequence[str]) -> None:
    """Refuse ids of samples that the session does not have, before anything is reported.

    Parameters
    ----------
    session
        The session.
    samples
        Ids of samples.

    Raises
    ------
    NbtoolkitError
        One is neither a sample of the study nor an image that the session was lent.
    """
    for sample in samples:
        if sample not in session.photographs:
            session.study.sample(sample)


def chunks(
    samples: Sequence[str],
    progress: Callable[[int, int], None] | None,
    cancel: threading.Event | None,
    size: int = CHUNK,
) -> Iterator[tuple[Sequence[str], Callable[[int, int], None]]]:
    """Samples in chunks, each with a function of (steps done, all steps) of the chunk that reports what is done.

    Parameters
    ----------
    samples
        Ids of the samples.
    progress, cancel
        Called with (done, total), in images; and the event that stops the operation.
    size
        Samples per chunk.

    Raises
    ------
    Cancelled
        The event was set; also from inside a chunk, by the function.
    """
    total = len(samples)
    for start in range(0, total, size):
        chunk = samples[start : start + size]

        def report(step: int, steps: int, start: int = start, chunk: Sequence[str] = chunk) -> None:
            done = start + step * len(chunk) // steps
            if cancel is not None and cancel.is_set():
                raise Cancelled(f"Stopped after {done} of {total} images.")
            if progress is not None:
                progress(done, total)

        report(0, 1)
        yield chunk, report
        report(1, 1)
