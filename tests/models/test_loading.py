"""The model door: checks at load time, on small random models of other families, and refusals."""

from pathlib import Path

import numpy as np
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
    assert lines[0].startswith("Model 'toy'") and len(lines) == 16
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


# --- the caller's model and processor ---------------------------------------------------------------------


def condition(hf, processor):
    """All that a person may have set on a model and its processor."""
    modules = list(hf.named_modules())
    generators = [m.generation_config.to_dict() for _, m in modules if "generation_config" in vars(m)]
    return {
        "training": [name for name, m in modules if m.training],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for _, m in modules],
        "gradients": [p.requires_grad for p in hf.parameters()],
        "no gradient is left": [p.grad is None for p in hf.parameters()],
        "values": [p.detach().double().sum().item() for p in hf.parameters()],
        "format and device": [(p.dtype, p.device) for p in hf.parameters()],
        "generation": generators,
        "configuration": hf.config.to_dict(),
        "attention": hf.config._attn_implementation,
        "attributes": sorted(vars(hf)),
        "padding": (processor.tokenizer.padding_side, processor.tokenizer.truncation_side, len(processor.tokenizer)),
        "processor": processor.to_dict(),
        "template": processor.chat_template,
        "mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_num_threads()),
    }


@pytest.mark.parametrize("name", ["llava", "qwen2-vl", "blip-2", "florence-2"])
def test_the_callers_model_and_processor_are_left_as_they_were(name):
    from ..zoo import build
    from .test_zoo import pictures, told

    hf, processor = build(name)
    hf.train()
    hf.get_input_embeddings().eval()  # modes are restored per module
    next(hf.parameters()).requires_grad_(False)
    processor.tokenizer.padding_side = "right" if name != "florence-2" else "left"
    hf.generation_config.repetition_penalty = 1.3
    first = Model(hf, processor)
    with torch.no_grad():  # transformers itself leaves hooks on a vision tower at its first pass
        hf(**first.extend(first.inputs(pictures(1)), [[]]))
    before = condition(hf, processor)
    model = nbt.load_model(hf, processor=processor)
    assert condition(hf, processor) == before
    data, word, _ = told(model)
    reps = nbt.extract(model, data, word, max_new_tokens=10, progress=False)
    assert condition(hf, processor) == before
    images = [data[int(i[1:])]["image"] for i in reps.sample_ids]
    targets = nbt.attribution.mentions(model, images, word, max_new_tokens=10)
    targets.gradient(1)
    nbt.check_model(model, images[:1] * 2)
    assert condition(hf, processor) == before

    def fail(*_):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        nbt.extract(model, data, word, max_new_tokens=10, progress=fail)
    with pytest.raises(nbt.NbtoolkitError, match="must be|expected|cannot"):
        targets.from_layer(1)(np.zeros((1, 3)))
    assert condition(hf, processor) == before
    hf.eval()
    evaluated = nbt.extract(model, data, word, max_new_tokens=10, progress=False)
    np.testing.assert_array_equal(evaluated.states, reps.states)  # dropout was off in training mode, too


def test_a_study_leaves_the_model_as_it_was(model, data):
    before = condition(model.hf, model.processor)
    nbt.study(model, data.select(range(100)), "dog", method=nbt.SemiNMF(2, random_state=0), progress=False)
    assert condition(model.hf, model.processor) == before


# --- a processor of another kind --------------------------------------------------------------------------


class OwnProcessor:
    """A hand-written processor: square images, an image token per patch, padding by hand; no class of transformers."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def apply_chat_template(self, messages, add_generation_prompt):
        assert add_generation_prompt
        parts = [c for m in messages for c in m["content"]]
        return " ".join("<image>" if c["type"] == "image" else f"Q: {c['text']} A:" for c in parts)

    def __call__(self, images, text, padding, return_tensors):
        assert padding and return_tensors == "pt"
        rows = [
            self.tokenizer(t.replace("<image>", "<image>" * 16), add_special_tokens=False)["input_ids"] for t in text
        ]
        longest = max(map(len, rows))
        left, fill = self.tokenizer.padding_side == "left", self.tokenizer.pad_token_id
        pads = [[fill] * (longest - len(row)) for row in rows]
        ids = [p + r if left else r + p for p, r in zip(pads, rows, strict=True)]
        live = [
            [0] * len(p) + [1] * len(r) if left else [1] * len(r) + [0] * len(p)
            for p, r in zip(pads, rows, strict=True)
        ]
        pixels = [np.asarray(image.resize((64, 64)), np.float32) / 127.5 - 1 for row in images for image in row]
        return {
            "input_ids": torch.tensor(ids),
            "attention_mask": torch.tensor(live),
            "pixel_values": torch.tensor(np.stack(pixels)).permute(0, 3, 1, 2),
        }


def test_a_hand_written_processor_works():
    from .test_zoo import pictures

    hf, processor = tiny(LlamaConfig(**SMALL))
    model = nbt.load_model(hf, processor=OwnProcessor(processor.tokenizer))
    assert model.text("What ?") == "<image> Q: What ? A:" and nbt.check_model(model).ok
    data = nbt.load_data("toy", n=40)
    given = nbt.extract(
        model, data, "dog", captions="given", progress=False, prompt=["a dog"] * 20 + ["a cat near it"] * 20
    )
    alone = nbt.extract(model, data, "dog", captions="given", progress=False, prompt=["a dog"] * 20 + ["a cat near it"] * 20,
                        batch_size=1)  # fmt: skip
    assert len(given) > 2
    np.testing.assert_allclose(given.states, alone.states, atol=1e-4)
    assert model.image_mask(model.inputs([pictures(2)])).sum() == 32


def test_without_a_template_the_placeholder_comes_first():
    hf, processor = tiny(LlamaConfig(**SMALL))

    class Plain(OwnProcessor):
        apply_chat_template = None

    assert nbt.load_model(hf, processor=Plain(processor.tokenizer)).text("What ?") == "<image>\nWhat ?"


# --- what is missing --------------------------------------------------------------------------------------


def test_a_map_of_devices_without_accelerate_names_the_package(tmp_path, monkeypatch):
    from ..zoo import build

    hf, processor = build("llava")
    hf.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    for module in ("transformers.integrations.accelerate", "transformers.modeling_utils"):
        monkeypatch.setattr(f"{module}.is_accelerate_available", lambda *_: False, raising=False)
    with pytest.raises(nbt.NbtoolkitError, match="Install what is missing: pip install accelerate"):
        nbt.load_model(tmp_path, device_map="auto")


def test_a_folder_without_a_processor_says_what_is_missing(tmp_path):
    from ..zoo import build

    hf, processor = build("llava")
    hf.save_pretrained(tmp_path)
    for part in (processor.image_processor, processor.tokenizer):
        with pytest.raises(nbt.NbtoolkitError, match="The processor of .* cannot be loaded.*or give it: load_model"):
            nbt.load_model(tmp_path)
        part.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(nbt.NbtoolkitError, match="The processor of .* cannot be loaded"):
        nbt.load_model(tmp_path)
    assert nbt.load_model(tmp_path, processor=processor).n_layers == 4
