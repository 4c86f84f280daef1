"""The prompt is looked at: refused where it is not what it should be, a question per image, a system text, several images."""

import numpy as np
import pytest
import torch
from transformers import AutoProcessor

import nbtoolkit as nbt
from nbtoolkit.attribution import mentions
from nbtoolkit.models.generation import respond
from nbtoolkit.models.prompts import prompt_checks

from ..conftest import PHOTOS
from ..zoo import build
from ..zoo.parts import BOS, Zoo, template
from ..zoo.recipes import _llava, hf
from .test_zoo import NEW, load, pictures, told

PROCESSORS = PHOTOS.parent / "processors"  # tokenizers and templates of real checkpoints
QUESTIONS = ["What is this ?", "Describe the image .", "a dog on the grass", "two cats", "What is near ?", "red car"]
PART = "{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}"
END = "{% endif %}{% endfor %}{% endfor %}"


def llava(chat_template, wrap="$A", **settings):
    zoo = Zoo("<image>", wrap=wrap)
    torch.manual_seed(0)
    model, processor = _llava(zoo, hf.LlamaConfig(**zoo.text()))
    processor.chat_template = chat_template
    return nbt.load_model(model, processor=processor, **settings)


REFUSED = {
    "the image twice": (template("<image><image>"), "has '<image>', the image, 2 times; expected 1"),
    "a Python list": ("<image>{% for m in messages %}{{ m['content'] }}{% endfor %}", "prints the message as a Python list"),
    "JSON": ("<image>{% for m in messages %}{{ m['content'] | tojson }}{% endfor %}", "prints the message as a Python list"),
    "another question": (PART + "{{ c['text'] | upper }}" + END, "does not hold 'Describe the image in one sentence.'"),
    "a template for texts": ("{% for m in messages %}{{ 'USER: ' + m['content'] }}{% endfor %}", "renders no message with an image"),
    "no system text": ("{{ raise_exception('no') }}", "renders no message with an image"),
    "two begins": (template("<image>", before="<s> <s>"), "has the begin token '<s>' 2 times; expected at most once"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_template_that_spoils_the_prompt_is_refused_at_load_and_shown(name):
    chat_template, message = REFUSED[name]
    with pytest.raises(nbt.NbtoolkitError, match=message):
        llava(chat_template)
    report = nbt.check_model(llava(chat_template, check=False))
    assert not report.ok and "\n  NO   " in repr(report)


@pytest.mark.parametrize("before", ["<s>", " <s>", "\n\n<s>\n", ""])
@pytest.mark.parametrize("wrap", ["<s> $A", "$A"])
def test_a_sequence_begins_at_most_once(before, wrap):
    ids = llava(template("<image>", before=before), wrap).inputs(pictures(2))["input_ids"]
    assert (ids == BOS).sum(1).tolist() == [1 if before or wrap != "$A" else 0] * 2


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (
            "<image> Describe",
            "holds '<image>', the placeholder of an image, which is added to every prompt. Leave it out",
        ),
        ("<s> Describe", "holds '<s>', the begin token"),
        (5, "prompt is 5; expected a text, a list with a text per image, or the name of a column"),
        (["What is this ?"] * 3, r"prompt is \['What is this \?', .*; expected a text"),
    ],
)
def test_a_prompt_that_a_model_cannot_use_is_refused(prompt, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        load("llava").text(prompt)
    if not isinstance(prompt, list):
        data, word, _ = told(load("llava"))
        with pytest.raises(nbt.NbtoolkitError, match=message):
            nbt.extract(load("llava"), data, word, prompt=prompt, progress=False)


def test_a_template_without_a_question_takes_none(model, data):
    """The embedded captioner responds to every prompt with a caption: its template has the image only."""
    assert model.prompt == "" and model.text() == "<image><s>"
    for run in (
        lambda: nbt.extract(model, data, "dog", prompt="Describe the weather.", progress=False),
        lambda: mentions(model, [data[0]["image"]], "dog", prompt="Describe the weather."),
    ):
        with pytest.raises(nbt.NbtoolkitError, match="takes no question. Leave prompt out"):
            run()


def test_braces_quotation_marks_and_lists_in_a_question_are_no_fault():
    model = load("llava")
    for words in ("{image} {words}", "a [1, 2] list", "[{'type': 'x'}]", "“what” 'is' \"this\""):
        assert words in model.text(words)


def test_thinking_is_off_where_a_template_has_it():
    thinking = template(
        "<image>", after="{% if enable_thinking is not defined or enable_thinking %} now{% else %} then{% endif %}"
    )
    assert llava(thinking).text().endswith(" then")
    assert llava(template("<image>")).text() == "<image> Describe the image in one sentence."


SYSTEM = "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'][0]['text'] }} {% endif %}{% endfor %}"


def test_a_system_text_precedes_the_question():
    users = template("<image>").replace("messages", "messages if m['role'] == 'user'")
    model = llava(SYSTEM + users, system="a small dog")
    assert model.text() == "a small dog <image> Describe the image in one sentence."
    plain = llava(SYSTEM + users)
    assert plain.text() == "<image> Describe the image in one sentence."
    data, word, _ = told(model)
    source = nbt.extract(model, data, word, max_new_tokens=NEW, progress=False).source
    assert source.system == "a small dog" and source.prompt == model.text()
    for chat_template, message in (
        (users, "takes no system text: .* lacks 'a small dog'"),
        (None, "takes no system text"),
    ):
        with pytest.raises(nbt.NbtoolkitError, match=message):
            llava(chat_template, system="a small dog")


def data_of(model):
    """A data set whose captions all have the word that most responses to the questions have."""
    data = told(model)[0]
    said = [respond(model, model.inputs([row["image"]], q), NEW)[0] for row, q in zip(data, QUESTIONS, strict=True)]
    words = [set(model.decode(ids).split()) for ids in said]
    word = max(sorted(set().union(*words)), key=lambda w: sum(w in own for own in words) if w.isalpha() else 0)
    data = data.map(lambda _: {"captions": [word]}, keep_in_memory=True)
    return data, word


@pytest.mark.parametrize("name", ["llava", "qwen2-vl", "gemma3", "blip-2", "florence-2"])
def test_a_question_per_image_gives_what_each_gives_alone(name):
    model = load(name)
    data, word = data_of(model)
    settings = {"max_new_tokens": NEW, "progress": False, "stop_early": False}
    ids = list(data["id"])
    parts = [nbt.extract(model, data.select([k]), word, prompt=q, **settings) for k, q in enumerate(QUESTIONS)
             if mentioned(model, data[k]["image"], word, q)]  # fmt: skip
    assert parts
    together = nbt.extract(model, data, word, prompt=QUESTIONS, batch_size=4, **settings)
    assert together.sample_ids == tuple(p.sample_ids[0] for p in parts)
    assert together.captions == tuple(p.captions[0] for p in parts)
    states = np.concatenate([p.states for p in parts])
    np.testing.assert_allclose(together.states, states, atol=2e-5 * np.abs(states).max())
    questions = dict(zip(ids, QUESTIONS, strict=True))
    assert together.source.questions == questions and together.source.prompt == model.text("{question}")
    named = data.add_column("question", QUESTIONS)
    for prompt, source in ((questions, data), ("question", named)):
        again = nbt.extract(model, source, word, prompt=prompt, batch_size=4, **settings)
        assert again.captions == together.captions and again.source.questions == questions


def mentioned(model, image, word, question):
    try:
        return len(mentions(model, [image], word, prompt=question, max_new_tokens=NEW)) == 1
    except nbt.NbtoolkitError:
        return False


def test_targets_take_a_question_per_image():
    model = load("llava")
    data, word, _ = told(model)
    images = list(data["image"])
    rows = [k for k, q in enumerate(QUESTIONS) if mentioned(model, images[k], word, q)]
    both = mentions(model, images, word, prompt=QUESTIONS, max_new_tokens=NEW)
    assert both.rows == tuple(rows)
    alone = [mentions(model, [images[k]], word, prompt=QUESTIONS[k], max_new_tokens=NEW).read()[0][0] for k in rows]
    np.testing.assert_allclose(both.read()[0], alone, atol=1e-5)
    with pytest.raises(nbt.NbtoolkitError, match="There are 2 prompts for 6 images"):
        mentions(model, images, word, prompt=QUESTIONS[:2])


def test_questions_that_do_not_fit_the_data_are_refused(tmp_path):
    model = load("llava")
    data, word, _ = told(model)
    for prompt, message in (
        (QUESTIONS[:2], "prompt has 2 questions for 6 images; expected one per image"),
        ({"p0": "What ?"}, "prompt has no question for the sample 'p1'"),
        ([*QUESTIONS[:5], ""], "The question of the sample 'p5' is ''; expected a text"),
        ([*QUESTIONS[:5], 5], "The question of the sample 'p5' is 5; expected a text"),
        ([*QUESTIONS[:5], "<image> What"], "holds '<image>', the placeholder"),
    ):
        with pytest.raises(nbt.NbtoolkitError, match=message):
            nbt.extract(model, data, word, prompt=prompt, progress=False)
    given = data.map(lambda row: {"captions": [f"{word} here"]}, keep_in_memory=True)
    settings = {"captions": "given", "out": tmp_path, "progress": False}
    nbt.extract(model, given, word, prompt=QUESTIONS, **settings)
    with pytest.raises(nbt.NbtoolkitError, match="questions: "):
        nbt.extract(model, given, word, prompt=QUESTIONS[::-1], **settings)


@pytest.mark.parametrize("name", ["llava", "idefics3", "qwen2-vl"])
def test_several_images_per_row_reach_the_model(name):
    model = load(name)
    a, b, c = (p.resize((64, 48)) for p in pictures(3))
    one, two = (model.forward(model.extend(model.inputs([rows]), [[]])).logits[0, -1] for rows in ([a, b], [a, c]))
    assert (one - two).abs().max() > 1e-3 * one.abs().max()
    mask = model.image_mask(model.inputs([[a, b]]))
    assert mask.sum() == 2 * model.image_mask(model.inputs([a])).sum()
    assert all(check.ok for check in prompt_checks(model, None, 2))


def test_a_family_of_one_image_refuses_several():
    with pytest.raises(
        nbt.NbtoolkitError, match="takes one image per prompt, which its processor adds; 2 images were given"
    ):
        load("blip-2").inputs([[pictures(1)[0]] * 2])


@pytest.mark.parametrize("name", ["llava-1.5", "granite-docling"])
def test_the_templates_of_real_checkpoints_pass(name):
    if not (PROCESSORS / name).is_dir():
        pytest.skip(f"the processor of {name} is not here")
    hf_model, _ = build("llava")
    model = nbt.models.Model(hf_model, AutoProcessor.from_pretrained(PROCESSORS / name))
    checks = prompt_checks(model, "What is this?")
    assert all(check.ok for check in checks), checks
    inputs = model.inputs(pictures(1), "What is this?")
    assert nbt.models.prompts.begin_check(model, inputs, "What is this?").ok
    with pytest.raises(nbt.NbtoolkitError, match="the placeholder of an image"):
        model.text("<image> What is this?")


def test_a_word_that_the_tokenizer_cannot_write_is_refused():
    model = load("llava")
    data = told(model)[0].map(lambda _: {"captions": ["a 猫 here"]}, keep_in_memory=True)
    for run in (lambda: nbt.extract(model, data, "猫", progress=False), lambda: mentions(model, data["image"], "猫")):
        with pytest.raises(nbt.NbtoolkitError, match="The model's tokenizer cannot spell '猫'"):
            run()


def test_the_report_prints_the_prompt():
    report = nbt.check_model(load("llava"), pictures(3), "What is this ?")
    assert report.ok and repr(report).splitlines()[1] == "  prompt  '<image> What is this ?'"


def test_a_study_keeps_questions_and_system_text(study, tmp_path):
    import dataclasses

    adapters = ("default (LORA)",)
    source = dataclasses.replace(study.source, system="short", questions={"a": "What ?"}, adapters=adapters, n_images=2)
    dataclasses.replace(study, source=source).save(tmp_path / "a.study")
    opened = nbt.open_study(tmp_path / "a.study").source
    assert (opened.system, opened.questions) == ("short", {"a": "What ?"})
    assert (opened.adapters, opened.n_images) == (adapters, 2)
