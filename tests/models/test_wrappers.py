"""Models inside something else: data-parallel, compiled, in a pipeline, offloaded; and what is no model for images."""

import pytest
import torch
from transformers import (
    CLIPConfig,
    CLIPModel,
    ImageTextToTextPipeline,
    LlamaConfig,
    LlamaForCausalLM,
    TextGenerationPipeline,
)

import nbtoolkit as nbt

from ..zoo import build
from .test_zoo import pictures, told


def logits(model):
    return model.forward(model.extend(model.inputs(pictures(2)), [[30], [31]])).logits


WRAPPERS = {
    "DataParallel": lambda hf, _: torch.nn.DataParallel(hf),
    "torch.compile": lambda hf, _: torch.compile(hf),
    "both": lambda hf, _: torch.nn.DataParallel(torch.compile(hf)),
    "a pipeline": lambda hf, processor: ImageTextToTextPipeline(model=hf, processor=processor),
}


@pytest.mark.parametrize("name", list(WRAPPERS))
def test_a_wrapped_model_is_the_model(name):
    hf, processor = build("llava")
    expected = logits(nbt.load_model(hf, processor=processor))
    wrapped = WRAPPERS[name](hf, processor)
    model = nbt.load_model(wrapped, processor=None if name == "a pipeline" else processor)
    assert model.hf is hf and torch.equal(logits(model), expected)
    if name == "a pipeline":
        assert model.processor is processor


def test_a_model_that_is_compiled_in_place_says_how_to_go_on():
    hf, processor = build("llava")
    hf.compile()
    with pytest.raises(
        nbt.NbtoolkitError, match="LlavaForConditionalGeneration is compiled in place.*before compile()"
    ):
        nbt.load_model(hf, processor=processor)
    hf, processor = build("llava")
    hf.model.language_model = torch.compile(hf.model.language_model)
    with pytest.raises(nbt.NbtoolkitError, match="model.language_model is compiled in place"):
        nbt.load_model(hf, processor=processor)


def tiny_llama():
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 400,
    }
    return LlamaForCausalLM(LlamaConfig(**sizes))


def test_what_is_no_model_for_images_says_what_it_is():
    _, processor = build("llava")
    parts = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    clip = CLIPModel(CLIPConfig(text_config=parts, vision_config=parts))
    pipe = TextGenerationPipeline(model=tiny_llama(), tokenizer=processor.tokenizer)
    for source, message in (
        (tiny_llama(), "'LlamaForCausalLM' is a 'llama' model, which reads text only"),
        (pipe, "'TextGenerationPipeline' is a 'llama' model, which reads text only"),
        (clip, "'CLIPModel' is a 'clip' model, which scores texts against images and writes none.*load_scorer"),
        (7, "source is a int; expected 'toy', a folder, a hub id, or a loaded model"),
        (torch.nn.Linear(2, 2), "source is a Linear; expected 'toy'"),
    ):
        with pytest.raises(nbt.NbtoolkitError, match=message):
            nbt.load_model(source, processor=processor)


def test_a_processor_without_a_tokenizer_is_refused():
    hf, processor = build("llava")
    for wrong in (processor.image_processor, processor.tokenizer):
        with pytest.raises(nbt.NbtoolkitError, match="without a tokenizer; expected the one of AutoProcessor"):
            nbt.load_model(hf, processor=wrong)


def test_weights_without_values_are_refused():
    hf, processor = build("llava")
    with pytest.raises(nbt.NbtoolkitError, match="has no values .it is on the meta device.; expected a loaded model"):
        nbt.load_model(hf.to("meta"), processor=processor)


# --- offloaded by accelerate ---------------------------------------------------------------------------------


def on_cpu(hf, _):
    pytest.importorskip("accelerate", reason="accelerate is not installed").cpu_offload(hf)
    return hf


def on_disk(hf, folder):
    pytest.importorskip("accelerate", reason="accelerate is not installed").disk_offload(hf, folder / "offload")
    return hf


def head_on_disk(hf, folder):
    pytest.importorskip("accelerate", reason="accelerate is not installed")
    hf.save_pretrained(folder / "whole")
    places = {name: "disk" if name == "lm_head" else "cpu" for name, _ in hf.named_children()}
    return type(hf).from_pretrained(folder / "whole", device_map=places, offload_folder=folder / "offload")


@pytest.mark.filterwarnings("ignore")  # accelerate's own
@pytest.mark.parametrize(
    ("name", "offload"),
    [
        ("llava", on_cpu),
        ("llava", on_disk),
        ("llava", head_on_disk),
        ("qwen2-vl", on_disk),
        ("qwen2-vl", head_on_disk),
        ("internvl", on_cpu),  # its head is the embedding
        ("internvl", on_disk),
    ],
)
def test_an_offloaded_model_works(name, offload, tmp_path):
    hf, processor = build(name)
    plain = nbt.load_model(hf, processor=processor)
    data, word, _ = told(plain)
    settings = {"max_new_tokens": 10, "progress": False}
    expected, reps = logits(plain), nbt.extract(plain, data, word, **settings)
    model = nbt.load_model(offload(hf, tmp_path), processor=processor)
    assert any(p.device.type == "meta" for p in model.hf.parameters())
    torch.testing.assert_close(logits(model), expected, atol=1e-5, rtol=1e-5)
    again = nbt.extract(model, data, word, **settings)
    assert again.sample_ids == reps.sample_ids
    torch.testing.assert_close(torch.tensor(again.states), torch.tensor(reps.states), atol=1e-5, rtol=1e-5)
    targets = nbt.attribution.mentions(model, [data[int(reps.sample_ids[0][1:])]["image"]], word, max_new_tokens=10)
    assert targets.gradient(1).any()
    assert any(p.device.type == "meta" for p in model.hf.parameters())  # as it was


@pytest.mark.filterwarnings("ignore")
def test_a_family_that_cannot_be_offloaded_says_what_to_do():
    """BLIP-2 reads its query tokens in ``generate``, outside of the calls that bring weights back."""
    hf, processor = build("blip-2")
    model = nbt.load_model(on_cpu(hf, None), processor=processor)
    with pytest.raises(nbt.NbtoolkitError, match="Its weights are offloaded by accelerate.*Load it without offloading"):
        model.generate(model.inputs(pictures(1)), 3)
    hf, processor = build("idefics3")  # its tower asks a tensor for its size, in every pass
    with pytest.raises(nbt.NbtoolkitError, match="was refused.*Its weights are offloaded by accelerate"):
        nbt.load_model(on_cpu(hf, None), processor=processor)
