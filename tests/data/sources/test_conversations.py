"""Conversations about images: the layout of LLaVA's training files."""

import json

import numpy as np
import pytest

import nbtoolkit as nbt

from ...models.test_zoo import load

TURNS = [{"from": "human", "value": "<image>\nWhat is this?"}, {"from": "gpt", "value": "A dog."},
         {"from": "human", "value": "And now?"}, {"from": "gpt", "value": "Still a dog."}]  # fmt: skip
OTHER = [{"from": "human", "value": "What do they share?\n<image>\n<image>"}, {"from": "gpt", "value": "A ramp."}]


@pytest.mark.parametrize("name", ["train.json", "train.jsonl"])
def test_the_first_exchange_is_question_and_caption(folder, name):
    entries = [
        {"id": "7", "image": "a.jpg", "conversations": TURNS},
        {"id": "text", "conversations": TURNS},
        {"id": "7", "image": "b.jpg", "conversations": OTHER},
    ]
    text = json.dumps(entries) if name == "train.json" else "\n".join(map(json.dumps, entries))
    (folder / name).write_text(text, "utf-8")
    data = nbt.load_data(folder / name)
    assert data.column_names == ["id", "image", "captions", "question"]
    assert data["id"][:] == ["7", "7#2"] and data["captions"][:] == [["A dog."], ["A ramp."]]
    assert data["question"][:] == ["What is this?", "What do they share?"]
    assert data[0]["image"].size == (20, 10)


def test_several_images_per_conversation(folder):
    entries = [{"image": ["a.jpg", "b.jpg"], "conversations": OTHER}, {"image": "c.jpg", "conversations": TURNS}]
    (folder / "train.json").write_text(json.dumps(entries))
    data = nbt.load_data(folder / "train.json")
    assert [len(row) for row in data["image"]] == [2, 1] and data["id"][:] == ["0", "1"]


@pytest.mark.parametrize(
    ("entries", "options", "message"),
    [
        ([{"image": "a.jpg", "conversations": TURNS[:1]}], {}, "conversation 0 lacks a turn; expected one from 'human'"),
        ([{"image": "a.jpg", "conversations": TURNS}, 5], {}, "conversation 1 has no list 'conversations'"),
        ([{"conversations": TURNS}], {}, "has no conversation about an image"),
        ([{"image": "z.jpg", "conversations": TURNS}], {}, "The first image of 'train.json' is not at .*images='folder'"),
        ([{"image": "../z.jpg", "conversations": TURNS}], {}, "does not lie in the folder"),
        ([{"image": "a.jpg", "conversations": TURNS}], {"split": "train"}, "has no splits"),
    ],
)  # fmt: skip
def test_other_conversations_are_refused(folder, entries, options, message):
    (folder / "train.json").write_text(json.dumps(entries))
    with pytest.raises(nbt.NbtoolkitError, match=message):
        nbt.load_data(folder / "train.json", **options)


def test_the_questions_are_asked(folder):
    """Two images in the first row, one in the second; each row with its own question."""
    entries = [{"image": ["a.jpg", "b.jpg"], "conversations": OTHER}, {"image": "c.jpg", "conversations": TURNS}]
    for entry in entries:
        entry["conversations"] = [entry["conversations"][0], {"from": "gpt", "value": "the dog"}]
    (folder / "train.json").write_text(json.dumps(entries))
    model, data = load("llava"), nbt.load_data(folder / "train.json")
    settings = {"captions": "given", "progress": False}
    reps = nbt.extract(model, data, "dog", prompt="question", **settings)
    listed = nbt.extract(model, data, "dog", prompt=data["question"][:], **settings)
    assert np.array_equal(listed.states, reps.states)
    assert reps.source.questions == {"0": "What do they share?", "1": "What is this?"} and reps.source.n_images == 2
    for k, row in enumerate(data):
        targets = nbt.attribution.mentions(model, [row["image"]], "dog", answers=["the dog"], prompt=row["question"])
        np.testing.assert_allclose(targets.read([-1])[1][0, 0], reps.layer(-1)[k], atol=1e-5)
