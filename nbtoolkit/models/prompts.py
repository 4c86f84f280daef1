"""Prompts: rendered through the model's chat template, checked, and made into inputs together with their images."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

from ..errors import DataError, ModelError, first_line
from .budget import check_budget, shrunk
from .families import COMPANIONS
from .geometry import check_size
from .reports import Check
from .responses import padding_side

_LIST = re.compile(r"\[\{['\"](type|role|text)['\"]")  # how Python and JSON write a list of parts
_PLACEHOLDERS = ("image_token", "boi_token", "image_placeholder")  # attributes of processors and tokenizers
_PROBE = "question"  # a neutral question, with which templates are tried


def render(model: Any, prompt: str | None = None, n_images: int = 1) -> str:
    """Render a prompt without checking it; :meth:`nbtoolkit.models.Model.text` checks it too.

    A chat template that can think aloud (``enable_thinking``) is told not to: the response is the answer itself.

    Parameters
    ----------
    model
        The adapter; its ``system`` text precedes the question.
    prompt
        A question or instruction; the default prompt if None.
    n_images
        Number of images that precede the question.
    """
    words = model.prompt if prompt is None else prompt
    template = _template(model)
    if not template:
        image = _placeholders(model)[:1] or ["<image>"]
        return str(model.family.get("ask", "{image}\n{words}")).format(image=image[0] * n_images, words=words)
    content = [*({"type": "image"} for _ in range(n_images)), {"type": "text", "text": words}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if model.system:
        messages.insert(0, {"role": "system", "content": [{"type": "text", "text": model.system}]})
    silent = {"enable_thinking": False} if "enable_thinking" in str(template) else {}
    return str(model.processor.apply_chat_template(messages, add_generation_prompt=True, **silent))


def takes_question(model: Any) -> bool:
    """Whether the rendered prompt depends on the question: some templates hold the image only.

    Parameters
    ----------
    model
        The adapter.
    """
    try:
        return render(model, _PROBE) != render(model, "another")
    except Exception:  # templates raise what they like; the checks say so
        return True


def rendered(model: Any, prompt: str | None = None) -> str:
    """Rendered prompt to show, or an empty text where the chat template fails.

    Parameters
    ----------
    model, prompt
        As for :func:`render`.
    """
    try:
        return render(model, prompt)
    except Exception:  # templates raise what they like; the checks say so
        return ""


def usable(model: Any, prompt: str | None = None, n_images: int = 1) -> str:
    """Rendered prompt, or an error that says why the model cannot use it.

    Parameters
    ----------
    model, prompt, n_images
        As for :func:`render`. The default prompt is checked when the model is loaded, not here.

    Raises
    ------
    DataError
        The prompt is no text, holds a placeholder of an image or a mark of a sequence's begin, or has no place in the
        chat template of the model.
    """
    if prompt is None and n_images == 1:
        return render(model)
    if prompt is not None and not isinstance(prompt, str):
        raise DataError(
            f"prompt is {_short(prompt)}; expected a text, a list with a text per image, or the name of a column of the data."
        )
    for check in prompt_checks(model, prompt, n_images):
        if not check.ok:
            words = model.prompt if prompt is None else prompt
            raise DataError(f"{model.name} cannot use the prompt {_short(words)}: {check.refusal}.")
    return render(model, prompt, n_images)


def prompt_checks(model: Any, prompt: str | None = None, n_images: int = 1) -> list[Check]:
    """Check a rendered prompt: every image once, the question and the system text verbatim, no Python list.

    Parameters
    ----------
    model, prompt, n_images
        As for :func:`render`.
    """
    words = model.prompt if prompt is None else prompt
    try:
        text, mark = render(model, prompt, n_images), _mark(model)
    except Exception as error:  # templates raise what they like
        reason = f"{type(error).__name__}: {first_line(error)}"
        what = "its chat template renders no message with an image and a text"
        return [Check("the chat template renders the prompt", False, reason, f"{what} ({reason})")]
    written, n = _LIST.search(text.replace(words, "") if words else text), text.count(mark) if mark else 0
    placeholder = next((p for p in [mark, *_placeholders(model)] if p and p in words), "")
    own = [t for t in (words.strip(), model.system.strip()) if t]
    absent = next((t for t in own if t not in text), None)
    return [
        Check(
            "the prompt is no Python list",
            not written,
            f"a text of {len(text)} characters",
            f"its chat template prints the message as a Python list ({_short(text)}). Set processor.chat_template to one for "
            "messages with an image and a text",
        ),
        Check(
            "the prompt has every image once",
            not placeholder and (n == n_images if mark else n_images == 1),
            f"{mark!r} × {n}" if mark else "added by the processor",
            _image_fault(text, mark, n, n_images, placeholder),
        ),
        Check(
            "the prompt has the question verbatim",
            absent is None,
            _short(words) if words or takes_question(model) else "the chat template takes no question",
            "" if absent is None else _absence_fault(model, text, absent),
        ),
        _begin_in_question(model, words),
    ]


def begin_check(model: Any, inputs: dict[str, Any], prompt: str | None = None) -> Check:
    """Check the ids of a prompt: the sequence begins (BOS) at most once, or as often as the chat template writes it.

    Parameters
    ----------
    model
        The adapter.
    inputs
        From :meth:`nbtoolkit.models.Model.inputs`.
    prompt
        The prompt; the default prompt if None.
    """
    begin, text = model.tokenizer.bos_token, render(model, prompt)
    what = "the sequence begins at most once"
    if not begin:
        return Check(what, True, "the tokenizer has no begin token")
    n = _begins(model, inputs)
    # some templates write their begin token at every turn: it is what a turn starts with
    doubled = re.match(rf"\s*{re.escape(begin)}\s*{re.escape(begin)}", text) is not None
    return Check(
        what,
        n <= max(1, text.count(begin)) and not doubled,
        f"{begin!r} × {n}",
        f"its prompt {_short(text)} has the begin token {begin!r} {n} times; expected at most once. Leave it out of "
        "processor.chat_template, or have the tokenizer not add it",
    )


def prepare(model: Any, images: Sequence[Any], prompt: str | Sequence[str] | None = None) -> dict[str, Any]:
    """Run the processor over images and prompts; :meth:`nbtoolkit.models.Model.prepare` is this function.

    Parameters
    ----------
    model
        The adapter.
    images
        Per row an image, or a list of images.
    prompt
        The prompt of every row, or one per row; the default prompt if None.
    """
    rows = [list(row) if isinstance(row, list | tuple) else [row] for row in images]
    rows = [[shrunk(image, model.image_limit.options.get("side")) for image in row] for row in rows]
    for image in (image for row in rows for image in row):
        check_size(model, image)
    prompts = [prompt] * len(rows) if prompt is None or isinstance(prompt, str) else prompt
    valid = isinstance(prompts, Sequence) and all(words is None or isinstance(words, str) for words in prompts)
    if not valid or len(prompts) != len(rows):
        raise DataError(f"prompt is {_short(prompt)}; expected a text, or a text per image ({len(rows)}).")
    text = functools.cache(model.text)  # rendered and checked once per question and number of images
    texts = [text(words, len(row)) for words, row in zip(prompts, rows, strict=True)]
    begin = model.tokenizer.bos_token
    once = {"add_special_tokens": False}
    written = bool(begin) and begin in texts[0]  # by the template
    run = functools.partial(model.processor, images=rows, text=texts, padding=True, return_tensors="pt")
    with padding_side(model):
        inputs = dict(run(**once) if written else run())
        if begin and not written and _begins(model, inputs) > 1:  # by the processor and by its tokenizer
            inputs = dict(run(**once))
    inputs.pop("labels", None)
    ids = inputs["input_ids"]
    last = {model.tokenizer.sep_token_id, model.tokenizer.eos_token_id} - {None}
    if model.family.get("cut_end") and ids.shape[1] > 1 and set(ids[:, -1].tolist()) <= last:
        inputs |= {k: v[:, :-1] for k, v in inputs.items() if k in ("input_ids", "attention_mask", *COMPANIONS)}
    check_budget(model, inputs, rows)
    return inputs


def check_system(model: Any) -> None:
    """Refuse a system text that the model's chat template does not write.

    Parameters
    ----------
    model
        The adapter.

    Raises
    ------
    ModelError
        There is no chat template, or it drops or rejects a system text.
    """
    if not model.system:
        return
    if not isinstance(model.system, str):
        raise ModelError(f"system is {_short(model.system)}; expected a text.")
    try:
        text = render(model)
    except Exception as error:  # templates raise what they like
        raise ModelError(f"The chat template of {model.name} takes no system text ({first_line(error)}).") from error
    if model.system.strip() not in text:
        raise ModelError(
            f"The prompt of {model.name} takes no system text: {_short(text)} lacks {_short(model.system)}. Leave system out, or "
            "put the text into the prompt."
        )


def _absence_fault(model: Any, text: str, absent: str) -> str:
    reason = "" if takes_question(model) else ", because it takes no question. Leave prompt out"
    return f"its rendered prompt {_short(text)} does not hold {_short(absent)}{reason}"


def _image_fault(text: str, mark: str, n: int, n_images: int, placeholder: str) -> str:
    if placeholder:
        return f"the question holds {placeholder!r}, the placeholder of an image, which is added to every prompt. Leave it out"
    if not mark:
        return f"it takes one image per prompt, which its processor adds; {n_images} images were given. Give one image per row"
    return f"its rendered prompt {_short(text)} has {mark!r}, the image, {n} times; expected {n_images}. Set processor.chat_template"


def _begins(model: Any, inputs: dict[str, Any]) -> int:
    """The most begin tokens in a row of the inputs."""
    mask = inputs["attention_mask"].bool()
    return int(((inputs["input_ids"] == model.tokenizer.bos_token_id) & mask).sum(1).max())


def _begin_in_question(model: Any, words: str) -> Check:
    begin = model.tokenizer.bos_token
    holds = bool(begin) and begin in words
    return Check(
        "the question holds no begin token",
        not holds,
        f"{begin!r} is not in it" if begin else "the tokenizer has none",
        f"the question holds {begin!r}, the begin token, which is added to every prompt. Leave it out",
    )


def _template(model: Any) -> Any:
    """Chat template of the processor; true where it renders messages without one, as a processor of another kind may."""
    renders = callable(getattr(model.processor, "apply_chat_template", None))
    return getattr(model.processor, "chat_template", renders)


def _placeholders(model: Any) -> list[str]:
    """Texts that may stand for an image, as the processor and its tokenizer name them."""
    sources = [getattr(model.processor, name, None) for name in _PLACEHOLDERS]
    sources += [getattr(model.tokenizer, name, None) for name in _PLACEHOLDERS]
    return list(dict.fromkeys(str(text) for text in sources if text))


def _mark(model: Any) -> str:
    """What the rendered prompt writes for an image; empty where the processor adds the image by itself."""
    if not _template(model):
        return (_placeholders(model) or ["<image>"])[0] if "{image}" in model.family.get("ask", "{image}") else ""
    with_image = render(model, _PROBE)
    first = next((text for text in _placeholders(model) if text in with_image), "")
    if first:
        return first
    without = render(model, _PROBE, 0)
    start = next((k for k, (a, b) in enumerate(zip(with_image, without, strict=False)) if a != b), len(without))
    return with_image[start : start + len(with_image) - len(without)].strip()


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
