"""Training: packing is exact, an interrupted run resumes to the same weights, a tiny run writes Hugging Face folders."""

import dataclasses
import logging

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from nbtoolkit.toy.training import architecture, images, loop, packing, scorer, second, train, worlds


@pytest.fixture(autouse=True)
def _threads_and_logging():
    threads, handlers = torch.get_num_threads(), logging.getLogger().handlers[:]
    yield
    torch.set_num_threads(threads)
    for handler in logging.getLogger().handlers:
        if handler not in handlers:
            handler.close()
    logging.getLogger().handlers = handlers


def test_packed_captions_give_the_logits_of_captions_alone():
    torch.manual_seed(0)
    model = architecture.captioner(300).eval()
    language = model.model.language_model
    captions = [[[1, 7, 9, 3], [1, 8, 3]], [[1, 5, 3], [1, 6, 7, 8, 3]]]
    patches = torch.randn(2, 4, architecture.WIDTH)
    batch = packing.pack(captions, 4, "cpu")
    embed = language.get_input_embeddings()
    bias = torch.zeros(batch["mask"].shape).masked_fill_(~batch["mask"], torch.finfo(torch.float32).min)
    with torch.no_grad():
        whole = language(
            inputs_embeds=torch.cat([patches, embed(batch["ids"])], 1),
            attention_mask=bias,
            position_ids=batch["positions"],
        ).last_hidden_state
        for i, group in enumerate(captions):
            at = 4
            for caption in group:
                alone = language(
                    inputs_embeds=torch.cat([patches[i : i + 1], embed(torch.tensor([caption]))], 1)
                ).last_hidden_state[0, 4:]
                torch.testing.assert_close(whole[i, at : at + len(caption)], alone, atol=2e-5, rtol=1e-4)
                at += len(caption)


def test_look_ahead_targets_are_uniform_over_the_content_words_to_come():
    content = torch.zeros(10, dtype=torch.bool)
    content[[7, 9]] = True
    targets = packing.look_ahead_targets([[[1, 7, 4, 9, 3]]], content, 5)
    assert targets[0, 0].nonzero().flatten().tolist() == [7, 9] and targets[0, 0, 7] == 0.5
    assert targets[0, 1].nonzero().flatten().tolist() == [9]
    assert targets[0, 3].sum() == 0


def test_an_interrupted_stage_resumes_to_the_same_weights(tmp_path):
    def run(folder, stop_at=None):
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.LayerNorm(6))
        folder.mkdir(exist_ok=True)

        def step(rng):
            if step.calls == stop_at:
                raise KeyboardInterrupt
            step.calls += 1
            x = torch.from_numpy(rng.normal(size=(8, 6))).float()
            return (module(x) - x.flip(1)).square().mean(), ""

        step.calls = 0
        loop.run_stage("s", folder, [module], step, n_steps=12, lr=1e-2, random_state=0, save_every=5)
        return [p.detach().clone() for p in module.parameters()]

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", stop_at=7)
    for a, b in zip(whole, run(tmp_path / "cut"), strict=True):
        torch.testing.assert_close(a, b)


def test_the_graded_loss_is_zero_where_the_cosine_is_proportional_to_the_grade():
    target = torch.tensor([[1.0, 0.25], [-0.25, 0.5], [0.0, 0.75]])
    own = torch.tensor([[True, False], [False, True], [True, False]])
    cosines = scorer.TOP_COSINE * target
    assert [part.item() for part in scorer._graded_loss(cosines, target, own)] == pytest.approx([0, 0], abs=1e-6)
    # the own images' two errors of 0.2 and 0 weigh half, the others' half
    square, ranks = scorer._graded_loss(
        cosines + scorer.TOP_COSINE * torch.tensor([[0.2, 0], [0, 0.2], [0.2, 0]]), target, own
    )
    assert square.item() == pytest.approx(0.04 / 2) and ranks.item() > 0
    constant = [part.item() for part in scorer._graded_loss(torch.full((3, 2), 0.3), target, own)]
    assert min(constant) > 0.1  # a scorer that gives every text one cosine


@pytest.mark.slow
def test_a_tiny_run_writes_folders_that_hugging_face_opens(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "Pool", _Here)
    train.main(
        [
            "--out",
            str(tmp_path),
            "--n-images",
            "130",
            "--tower-steps",
            "1",
            "--caption-steps",
            "1",
            "--scorer-steps",
            "1",
            "--grade-steps",
            "1",
            "--device",
            "cpu",
        ]
    )
    model = AutoModelForImageTextToText.from_pretrained(tmp_path / "captioner")
    processor = AutoProcessor.from_pretrained(tmp_path / "captioner")
    assert model.config.model_type == "llava" and processor.image_token == "<image>"
    assert np.load(tmp_path / "images-130.npy").shape == (130, 64, 64, 3)
    assert (tmp_path / "scorer" / "model.safetensors").stat().st_size < 4e6
    assert np.load(tmp_path / "second" / "images-130.npy").shape == (130, 64, 64, 3)


def _plain(tmp_path, steps):
    small = ["--n-images", "130", "--tower-steps", steps, "--caption-steps", steps, "--device", "cpu"]
    train.main(["--world", "second", "--only", "plain", "--out", str(tmp_path), *small])
    return tmp_path / "plain"


@pytest.mark.slow
def test_the_plain_captioner_trains_on_the_second_world_and_resumes_to_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "Pool", _Here)
    folder = _plain(tmp_path / "whole", "2")
    model = AutoModelForImageTextToText.from_pretrained(folder)
    assert model.config.model_type == "llava" and (folder / "model.safetensors").stat().st_size < 4.3e6
    run_stage, calls = loop.run_stage, []

    def cut(name, out, modules, step, **settings):
        def stopped(rng):
            if name == "captions" and calls.count(name) == 1:
                raise KeyboardInterrupt
            calls.append(name)
            return step(rng)

        run_stage(name, out, modules, stopped, **{**settings, "save_every": 1})

    monkeypatch.setattr(train, "run_stage", cut)
    with pytest.raises(KeyboardInterrupt):
        _plain(tmp_path / "cut", "2")
    monkeypatch.setattr(train, "run_stage", run_stage)
    resumed = AutoModelForImageTextToText.from_pretrained(_plain(tmp_path / "cut", "2"))
    assert calls == ["tower", "tower", "captions"]
    for a, b in zip(model.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_without_look_ahead_the_loss_is_the_cross_entropy_of_the_next_token(tmp_path, monkeypatch):
    torch.manual_seed(0)
    tokens = architecture.tokenizer(worlds.SECOND.corpus(3000, 0))
    model = architecture.captioner(len(tokens)).eval()
    pixels = np.random.default_rng(0).integers(0, 255, (40, 64, 64, 3), dtype=np.uint8)
    facts = [worlds.SECOND.facts(worlds.SECOND.sample(np.random.default_rng(i))) for i in range(40)]
    losses, texts = {}, []
    monkeypatch.setattr(
        train, "run_stage", lambda *a, **_: losses.__setitem__(len(losses), a[3](np.random.default_rng(0))[0].item())
    )
    world = dataclasses.replace(
        worlds.SECOND, caption=lambda f, rng: texts.append(worlds.SECOND.caption(f, rng)) or texts[-1]
    )
    settings = {"n_steps": 1, "random_state": 0, "device": "cpu", "world": world}
    train.train_captions(model, tokens, pixels, facts, tmp_path, look_ahead=0.0, **settings)
    stated = texts[:]
    train.train_captions(model, tokens, pixels, facts, tmp_path, **settings)
    rng = np.random.default_rng(0)
    rows = images.sample_rows(40, 32, rng)
    for r in rows:
        for _ in range(train.CAPTIONS):
            worlds.SECOND.caption(facts[r], rng)
    seen = images.augment(pixels[rows], rng, "cpu")
    total = count = 0
    with torch.no_grad():
        patches = torch.stack(list(model.get_image_features(pixel_values=seen).pooler_output))
        for i, text in enumerate(stated):
            ids = torch.tensor([[1, *tokens(text, add_special_tokens=False).input_ids, 3]])
            embeds = torch.cat([patches[i // 4 : i // 4 + 1], model.get_input_embeddings()(ids)], 1)
            logits = model(inputs_embeds=embeds).logits[0, patches.shape[1] : -1]
            total += torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
            count += ids.shape[1] - 1
    assert losses[0] == pytest.approx(total / count, rel=1e-4)
    assert losses[1] > losses[0] + 1  # with the look-ahead loss, at the same weights and captions


def test_the_towers_start_from_the_first_worlds_captioner():
    tower = architecture.captioner(300).model.vision_tower
    second.start_tower(tower)
    shipped = AutoModelForImageTextToText.from_pretrained(second.START.parent, dtype=torch.float32).model.vision_tower
    for a, b in zip(tower.parameters(), shipped.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_model_of_the_other_world_is_refused(capsys):
    with pytest.raises(SystemExit):
        train.main(["--world", "second", "--only", "scorer"])
    assert "--only scorer is no model of the second world; expected tower, plain, smollm2" in capsys.readouterr().err


class _Here:
    """A pool that works in this process."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def map(self, f, tasks, chunksize):
        return [f(t) for t in tasks]
