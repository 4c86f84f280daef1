"""The same chain on real photographs: a small LLaVA learns those of one word by heart, and as many others; then it is studied.

Memorising is the point: what is tested is real JPEGs, portrait and landscape, human English with five captions a
picture, sub-word pieces and a vocabulary of thousands, not whether so small a model understands photographs.
"""

from __future__ import annotations

import shutil
import time

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional as F
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

import nbtoolkit as nbt
from nbtoolkit.cli import main
from nbtoolkit.data import read_image, vocabulary
from nbtoolkit.text.words import contains

pytestmark = pytest.mark.slow
WORDS = ("man", "train", "cake")
LIMIT = 300  # seconds of CPU time for the training, at most


def build(captions):
    """An untrained LLaVA for 96-pixel photographs, with a sub-word tokenizer of the human captions."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(captions, trainers.BpeTrainer(vocab_size=1500, special_tokens=["<pad>", "<s>", "<image>", "</s>"], show_progress=False,
                                                          initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))  # fmt: skip
    tokens = PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", bos_token="<s>", eos_token="</s>", padding_side="left",
                                     extra_special_tokens={"image_token": "<image>"}, clean_up_tokenization_spaces=False)  # fmt: skip
    vision = CLIPVisionConfig(
        hidden_size=96, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4, image_size=96, patch_size=16
    )
    text = LlamaConfig(vocab_size=len(tokens), hidden_size=128, intermediate_size=320, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=4,
                       max_position_embeddings=256, pad_token_id=0, bos_token_id=1, eos_token_id=3, tie_word_embeddings=False)  # fmt: skip
    hf = LlavaForConditionalGeneration(LlavaConfig(vision_config=vision, text_config=text, image_token_index=2, vision_feature_layer=-1,
                                                   vision_feature_select_strategy="default", image_seq_length=36, tie_word_embeddings=False))  # fmt: skip
    images = CLIPImageProcessorPil(size={"shortest_edge": 96}, crop_size={"height": 96, "width": 96})
    template = "{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% endif %}{% endfor %}{% endfor %}{{ bos_token }}"
    processor = LlavaProcessor(
        images,
        tokens,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    )
    hf.generation_config.update(eos_token_id=3, bos_token_id=1, pad_token_id=0, do_sample=False)
    return hf, processor


def memorise(hf, processor, pictures, captions):
    """Train until greedy decoding would repeat every caption, or time is up; give the share of captions repeated."""
    tokens = processor.tokenizer
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}]}], add_generation_prompt=True
    )
    inputs = processor(images=[[p] for p in pictures], text=[prompt] * len(pictures), padding=True, return_tensors="pt")
    ids = [[*tokens(c, add_special_tokens=False).input_ids, 3] for c in captions]
    longest, start = max(map(len, ids)), inputs["input_ids"].shape[1]
    tail = torch.tensor([row + [0] * (longest - len(row)) for row in ids])
    labels = torch.tensor([row + [-100] * (longest - len(row)) for row in ids])
    full = torch.cat([inputs["input_ids"], tail], 1)
    optim = torch.optim.AdamW(hf.parameters(), lr=2e-3, weight_decay=0.0)
    began, right = time.process_time(), 0.0
    for step in range(2000):
        rows = torch.randperm(len(ids), generator=torch.Generator().manual_seed(step))[:52]
        for group in optim.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 50)
        logits = hf(
            input_ids=full[rows], attention_mask=torch.ones_like(full[rows]), pixel_values=inputs["pixel_values"][rows]
        ).logits[:, start - 1 : -1]
        loss = F.cross_entropy(logits.flatten(0, 1), labels[rows].flatten(), ignore_index=-100)
        optim.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(hf.parameters(), 1.0)
        optim.step()
        if step % 25 == 24:
            right = (((logits.argmax(-1) == labels[rows]) | (labels[rows] == -100)).all(1)).float().mean().item()
            if right == 1.0 or time.process_time() - began > LIMIT:
                break
    return right


def test_a_word_of_real_photographs(photos, tmp_path, request, capsys):
    torch.manual_seed(0)
    counts = {w: sum(any(contains(w, c) for c in group) for group in photos["captions"]) for w in WORDS}
    token = max(counts, key=counts.get)
    captions = [next((c for c in group if contains(token, c)), group[0]) for group in photos["captions"]]
    everything = [c for group in photos["captions"] for c in group]
    hf, processor = build(everything)
    hf.train()
    # photographs of the word, and as many others: the study looks at no more
    rows = [i for i, c in enumerate(captions) if contains(token, c)]
    rows += [i for i in range(len(captions)) if i not in rows][: len(rows)]
    repeated = memorise(hf, processor, [read_image(photos["image"][i]) for i in rows], [captions[i] for i in rows])
    assert repeated >= 0.9, f"only {repeated:.0%} of the captions were learnt in {LIMIT} s"
    folder = tmp_path / "photo-llava"
    hf.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    assert any(
        len(processor.tokenizer(" " + w, add_special_tokens=False).input_ids) > 1 for w in vocabulary([everything])
    )

    data = request.config.rootpath.parent / "shared/data/coco_photos.parquet"
    out, page = tmp_path / f"{token}.study", tmp_path / f"{token}.html"
    arguments = [
        "study",
        "--model",
        str(folder),
        "--data",
        str(data),
        "--token",
        token,
        "--out",
        str(out),
        "--n-concepts",
        "6",
        "--html",
        str(page),
    ]
    assert main(arguments) == 0, capsys.readouterr().err
    study = nbt.open_study(out)
    assert len(study.samples) >= 0.8 * counts[token] and study.layers == (1, 2, 3, 4)
    known = vocabulary([everything])
    for layer in study.layers:
        assert all(w in known and len(w) >= 3 for words in study.grounding(layer).words for w in words)
        assert any(study.grounding(layer).words) and {i for e in study.grounding(layer).exemplars for i in e} <= {
            s.id for s in study.samples
        }
    sizes = [read_image(s.image).size for s in study.samples]
    assert any(w > h for w, h in sizes) and any(w < h for w, h in sizes)

    if shutil.which("chromium"):
        _photograph(request.getfixturevalue("browser"), page, token)


def _photograph(browser, page_file, token):
    from .browser.conftest import Watched

    view = Watched(browser, page_file.as_uri(), viewport={"width": 1300, "height": 960})
    view.page.goto(page_file.as_uri())
    view.page.wait_for_selector(".nbt-thumb:not(.nbt-waiting)")
    assert view.page.locator(".nbt-response mark").inner_text().lower() == token
    view.page.wait_for_timeout(500)
    view.page.screenshot(
        path=page_file.with_suffix(".png")
    )  # to look at; stays in pytest's folder, the photographs are not ours
    view.clean()
    view.context.close()
