"""The model door: checks at load time, on small random models of other families, and refusals."""

from pathlib import Path

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    MistralConfig,
    Qwen2Config,
)

import nbtoolkit as nbt
from nbtoolkit.models.adapter import Model
from nbtoolkit.models.hooks import watching
from nbtoolkit.models.loading import check_adapter
from nbtoolkit.toy.training import architecture


def tiny(text, patch_vision=True):
    """A random LLaVA with non-unit norm weights around another language model, and its processor."""
    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=64, patch_size=16
    )
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=architecture.IMAGE, vision_feature_layer=-1,
                         vision_feature_select_strategy="default", image_seq_length=16)  # fmt: skip
    hf = LlavaForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, p in hf.named_parameters():
            if "norm" in name and p.ndim == 1 and "weight" in name:
                p.uniform_(0.5, 1.5)
    tokens = architecture.tokenizer(["a dog on the grass", "a cat in the snow"] * 10)
    processor = LlavaProcessor(architecture.image_processor(), tokens, patch_size=16, vision_feature_select_strategy="default",
                               num_additional_image_tokens=1, chat_template=architecture.CHAT_TEMPLATE)  # fmt: skip
    return hf, processor


SMALL = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


@pytest.mark.parametrize(
    "text",
    [LlamaConfig(**SMALL), MistralConfig(**SMALL, sliding_window=8), Qwen2Config(**SMALL)],
    ids=lambda c: c.model_type,
)
def test_other_language_models_pass_the_checks(text):
    hf, processor = tiny(text)
    model = nbt.load_model(hf, processor=processor)
    assert (model.n_layers, model.d_model) == (3, 32)
    assert type(model.norm).__name__.endswith("RMSNorm")


def test_the_toy_model(model):
    assert (model.n_layers, model.d_model) == (5, 128)
    assert model.hf.dtype == torch.float32 and not model.hf.training
    assert repr(model) == "Model 'toy' (LlavaForConditionalGeneration): 5 layers, d_model 128"


def test_unembed_takes_numpy_and_torch(model, reps):
    states = reps.layer(-1)[:3]
    torch.testing.assert_close(torch.tensor(model.unembed(states)), model.unembed(torch.tensor(states)))
    assert abs(model.unembed(states, norm=False) - model.unembed(states)).max() > 1e-3


def test_watching_can_replace_states_and_cleans_up(model, data):
    inputs = model.encode(data[:2]["image"])
    with torch.inference_mode():
        clean = model.hf(**inputs).logits
        stored = {}
        with watching(model.blocks, lambda layer, h: stored.update({layer: h.clone()})):
            model.hf(**inputs)
        other = model.encode(data[2:4]["image"])
        for point in range(
            model.n_layers + 1
        ):  # patching the whole stream of another picture restores the clean logits
            with watching(model.blocks, lambda layer, h, point=point: stored[point] if layer == point else None):
                assert torch.equal(model.hf(**other).logits, clean)
        assert not torch.equal(model.hf(**other).logits, clean)


def test_a_blind_model_is_refused():
    hf, processor = tiny(LlamaConfig(**SMALL))
    with torch.no_grad():
        hf.model.multi_modal_projector.linear_2.weight.zero_()
    with pytest.raises(nbt.NbtoolkitError, match="two different images give the same logits"):
        nbt.load_model(hf, processor=processor)


def test_a_head_that_is_not_the_models_is_refused():
    hf, processor = tiny(LlamaConfig(**SMALL))
    model = Model(hf, processor)
    model.norm = torch.nn.Identity()
    with pytest.raises(nbt.NbtoolkitError, match="its last layer unembeds to other logits than its own"):
        check_adapter(model)


@pytest.mark.parametrize(
    ("dtype", "within", "beyond"), [(torch.float32, 3e-5, 3e-4), (torch.bfloat16, 1e-2, 6e-2)], ids=str
)
def test_the_tolerance_is_that_of_the_number_format(dtype, within, beyond):
    """Logits may differ from the model's own by 1e-4 of the largest in float32, and by 3e-2 in half precision."""
    hf, processor = tiny(LlamaConfig(**SMALL))

    class Scaled(torch.nn.Module):
        def __init__(self, norm, factor):
            super().__init__()
            self.norm, self.factor = norm, factor

        def forward(self, x):
            return self.norm(x) * self.factor

    model = Model(hf.to(dtype), processor)
    norm = model.norm
    model.norm = Scaled(norm, 1 + within)
    assert check_adapter(model).ok
    model.norm = Scaled(norm, 1 + beyond)
    with pytest.raises(nbt.NbtoolkitError, match="its last layer unembeds to other logits than its own"):
        check_adapter(model)


def test_blocks_that_do_not_fire_are_refused():
    hf, processor = tiny(LlamaConfig(**SMALL))
    model = Model(hf, processor)
    model.blocks = torch.nn.ModuleList([*model.blocks, torch.nn.Linear(1, 1)])
    model.n_layers = 4
    with pytest.raises(nbt.NbtoolkitError, match=r"hooks at layers \[4\] fired \[0\] times"):
        check_adapter(model)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/nowhere/model", "holds no Hugging Face model|There is no folder"),
        ("no-such/model-id", "holds no Hugging Face model"),
    ],
)
def test_no_model_there(source, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        nbt.load_model(source)


def test_a_folder_that_is_no_model(tmp_path):
    (tmp_path / "hello.txt").write_text("hi")
    with pytest.raises(nbt.NbtoolkitError, match="holds no Hugging Face model .*Give a folder with config.json"):
        nbt.load_model(tmp_path)


def test_a_loaded_model_needs_its_processor():
    hf, _ = tiny(LlamaConfig(**SMALL))
    with pytest.raises(nbt.NbtoolkitError, match="was given without its processor"):
        nbt.load_model(hf)


def test_a_scorer_must_be_a_clip(tmp_path):
    with pytest.raises(nbt.NbtoolkitError, match="cannot be loaded as a CLIP model"):
        nbt.load_scorer(tmp_path)
    captioner = Path(nbt.toy.__file__).parent / "weights" / "captioner"  # it has image features, but no text features
    with pytest.raises(nbt.NbtoolkitError, match="is a LlavaModel; expected a model with image and text features"):
        nbt.load_scorer(captioner)


def test_a_saved_model_is_loaded_from_its_folder(tmp_path):
    """The way of every real checkpoint: config, weights and processor from files, in half precision too."""
    from ..zoo import build

    hf, processor = build("llava")
    hf.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    model = nbt.load_model(tmp_path)
    assert model.origin[0] == str(tmp_path) and nbt.check_model(model).ok
    assert nbt.load_model(str(tmp_path), dtype="bfloat16").hf.dtype == torch.bfloat16


def test_nothing_from_the_hub_is_run(tmp_path, monkeypatch):
    """A folder that brings its own code is refused, whatever it says."""
    (tmp_path / "config.json").write_text(
        '{"model_type": "strange", "auto_map": {"AutoConfig": "evil.C", "AutoModelForImageTextToText": "evil.M"}}'
    )
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.setattr("builtins.input", lambda _: "y")
    with pytest.raises(nbt.NbtoolkitError, match="holds no Hugging Face model"):
        nbt.load_model(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_report_prints_as_a_table(model):
    lines = repr(nbt.check_model(model)).splitlines()
    assert lines[0].startswith("Model 'toy'") and len(lines) == 15
    assert lines[1] == "  prompt  '<image><s>'" and all(line.startswith("  ok   ") for line in lines[2:])
    assert any("the last layer unembeds to the model's own logits" in line for line in lines)


def test_a_report_says_what_fails():
    hf, processor = tiny(LlamaConfig(**SMALL))
    model = nbt.load_model(hf, processor=processor)
    model.norm = torch.nn.Identity()
    report = nbt.check_model(model)
    assert not report.ok and [c.what for c in report.checks if not c.ok] == [
        "the last layer unembeds to the model's own logits"
    ]
    assert "  NO   the last layer" in repr(report)


def test_scales_and_soft_caps_are_found_from_the_logits():
    """What the configuration says is not what every class does; the model's own logits decide."""
    hf, processor = tiny(LlamaConfig(**SMALL))
    head = hf.lm_head

    def capped(_module, _args, out):
        return 5.0 * torch.tanh(out / 5.0)

    hf.config.text_config.final_logit_softcapping = 5.0
    assert nbt.load_model(hf, processor=processor).softcap == 0  # the class ignores it
    handle = hf.register_forward_hook(
        lambda _m, _a, out: out.__setitem__("logits", capped(None, None, out.logits)) or out
    )
    try:
        model = nbt.load_model(hf, processor=processor)
        assert model.softcap == 5.0 and model.head is head
    finally:
        handle.remove()
