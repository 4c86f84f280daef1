"""Several images per prompt: each image once in the prompt, alone or in a batch; families of one image refuse before a run."""

import datasets
import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.attribution import mentions, saliency
from nbtoolkit.live.session import Session
from nbtoolkit.models.generation import respond
from nbtoolkit.models.several_images import check_n_images
from nbtoolkit.studies.baselines import noise_images

from ..zoo import build
from .test_zoo import NEW, load, pictures

SEVERAL = ["llava", "llava-next", "qwen2-vl", "idefics3", "gemma3", "internvl", "mllama", "pixtral", "molmo2"]
ONE = ["blip-2", "instructblip", "kosmos-2", "git", "florence-2"]


def rows_of(images):
    a, b, c, d, e, f = (image.resize((64, 48)) for image in images)
    return [[a, b], [c], [d, e], [f], [b, a]]


def dataset(rows, captions):
    text = datasets.Value("string")
    kinds = {"id": text, "image": datasets.List(datasets.Image()), "captions": datasets.List(text)}
    content = {"id": [f"r{k}" for k in range(len(rows))], "image": rows, "captions": captions}
    return datasets.Dataset.from_dict(content, features=datasets.Features(kinds))


def frequent(texts):
    words = sorted({w for text in texts for w in text.split() if w.isalpha()})
    return max(words, key=lambda w: sum(w in text.split() for text in texts))


@pytest.mark.parametrize("name", SEVERAL)
def test_rows_with_several_images_give_what_each_gives_alone(name, tmp_path):
    model, rows = load(name), rows_of(pictures(6))
    responses = [model.decode(respond(model, model.inputs([row]), NEW)[0]) for row in rows]
    word = frequent(responses)
    expected = [f"r{k}" for k, text in enumerate(responses) if word in text.split()]
    data = dataset(rows, [[word]] * len(rows))
    settings = {"max_new_tokens": NEW, "progress": False, "stop_early": False}
    together = nbt.extract(model, data, word, batch_size=4, out=tmp_path, **settings)
    alone = nbt.extract(model, data, word, batch_size=1, **settings)
    assert list(together.sample_ids) == list(alone.sample_ids) == expected
    assert together.captions == alone.captions
    np.testing.assert_allclose(together.states, alone.states, atol=2e-5 * np.abs(alone.states).max())
    assert together.source.n_images == 2 and together.source.prompt == model.text(None, 2)
    targets = mentions(model, rows, word, max_new_tokens=NEW)
    assert [f"r{k}" for k in targets.rows] == expected
    swapped = data.select([4, 1, 2, 3, 0]).remove_columns("id").add_column("id", data["id"][:])
    with pytest.raises(nbt.NbtoolkitError, match="data: "):  # the same rows with images in another order
        nbt.extract(model, swapped, word, out=tmp_path, **settings)


@pytest.mark.parametrize("name", ONE)
def test_families_of_one_image_refuse_before_the_run(name):
    model, rows = load(name), rows_of(pictures(6))
    data = dataset(rows, [["dog"]] * len(rows))
    for run in (
        lambda: nbt.extract(model, data, "dog", progress=False),
        lambda: mentions(model, rows, "dog"),
    ):
        with pytest.raises(
            nbt.NbtoolkitError, match="takes one image per prompt.*2 images were given. Give one image per row"
        ):
            run()
    single = dataset([row[:1] for row in rows], [["dog"]] * len(rows))  # lists of one image are no fault
    assert len(nbt.extract(model, single, "dog", captions="given", progress=False)) == len(rows)


class FirstOnly:
    """A processor that drops every image but the first, as some do without a word."""

    fail = False

    def __init__(self, processor):
        self.processor, self.tokenizer, self.chat_template = processor, processor.tokenizer, processor.chat_template

    def apply_chat_template(self, messages, **options):
        return self.processor.apply_chat_template(messages, **options)

    def __call__(self, images, text, **options):
        if self.fail:
            raise RuntimeError("no")
        text = ["<image>" + t.replace("<image>", "") for t in text]
        return self.processor(images=[row[:1] for row in images], text=text, **options)


def test_an_image_that_does_not_reach_the_model_is_refused():
    hf, processor = build("llava")
    model = nbt.load_model(hf, processor=FirstOnly(processor))
    check_n_images(model, 1)
    with pytest.raises(
        nbt.NbtoolkitError, match="takes fewer than 2 images per prompt: the last one changes no logit. Give one"
    ):
        check_n_images(model, 2)
    model.processor.fail = True
    with pytest.raises(
        nbt.NbtoolkitError, match=r"cannot read 2 images per prompt \(RuntimeError: no\). Give one image per row"
    ):
        check_n_images(model, 2)


def test_a_study_of_several_images_shows_the_first_and_runs_with_all(model, data):
    images = list(data.select(range(60))["image"])
    rows = [[image, images[k - 1]] if k % 2 else [image] for k, image in enumerate(images)]
    pairs = dataset(rows, data["captions"][:60])
    study = nbt.study(model, pairs, "dog", method=nbt.SemiNMF(2, random_state=0), progress=False)
    assert study.source.n_images == 2 and len(study.samples) > 2
    with pytest.raises(nbt.NbtoolkitError, match="have up to 2 images, of which it keeps the first.*Give data="):
        Session(model, study)
    session = Session(model, study, data=pairs)
    for sample in study.samples[:3]:
        assert session.response(sample.id).captions == (sample.caption,)
    cd = study.dictionary(5)
    with pytest.raises(nbt.NbtoolkitError, match="The image is a list of 2 images; expected one"):
        saliency(model, rows[1], cd, 0)
    assert saliency(model, rows[0], cd, 0).shape == (1, 8, 8)
    noise = noise_images(pairs.select([0, 1]))
    assert [len(row) for row in noise["image"]] == [1, 2] and noise[1]["image"][0].size == images[1].size
