"""What no instrument can measure is one clear error of each of them, before a number: it says what, what was expected, what to do."""

import dataclasses
import functools

import numpy as np
import pytest
import torch
import transformers

import nbtoolkit as nbt
from nbtoolkit.attribution import (
    attention_to_image,
    direct_logit_attribution,
    gradient_x_input,
    integrated_gradients,
    occlusion,
)
from nbtoolkit.errors import MethodError, ModelError, NothingFoundError, StudyError
from nbtoolkit.interventions import activation_patching, attention_knockout, path_effects
from nbtoolkit.lens import ContextualBank, contextual, logit_lens

from .models.test_zoo import pictures
from .zoo import Zoo, awaken, build
from .zoo.recipes import _llava
from .zoo_targets import NO_POSITIONS, RESPONSE, zoo_target

other = pictures()[4]


def faithful(t):
    """Faithfulness of a constant map: also an instrument that replays passes."""
    own = dataclasses.replace(attention_to_image(t), provenance=t.provenance)
    return nbt.metrics.faithfulness(
        dataclasses.replace(own, values=own.values.mean(("layer", "head"))), t, n_steps=2, n_random=1
    )


TEXT = {  # instruments that need no image positions
    "logit lens": logit_lens,
    "occlusion of tokens": lambda t: occlusion(t, unit="token", null="none"),
    "logit attribution of layers": lambda t: direct_logit_attribution(t, n_draws=1),
    "integrated gradients": lambda t: integrated_gradients(t, tolerance=1.0),
    "gradient × input": gradient_x_input,
}
HEADS = {
    "logit attribution of heads": lambda t: direct_logit_attribution(t, "head", n_draws=1),
    "patching of heads": lambda t: activation_patching(t, t.again(image=other), part="heads", groups=["last"], layers=[1]),
}  # fmt: skip
IMAGE = {  # instruments that need image positions
    "attention": attention_to_image,
    "occlusion": lambda t: occlusion(t, null="none"),
    "occlusion of blocks": lambda t: occlusion(t, null="none", unit="block"),
    "logit attribution of patches": lambda t: direct_logit_attribution(t, "patch", n_draws=1),
    "knockout": lambda t: attention_knockout(t, n_null=0),
    "lens on the image": lambda t: logit_lens(t, positions="image"),
    "patching": lambda t: activation_patching(t, t.again(image=other), groups=["last"], layers=[-1]),
    "patching of the image": lambda t: activation_patching(t, t.again(image=other), groups=["image"]),
    "faithfulness": faithful,
}
EFFECTS = {"path effects": lambda t: path_effects(t, through=[t.n_positions - 2])}
ALL = TEXT | HEADS | IMAGE | EFFECTS


@functools.cache
def context_of(n):
    return llava(max_position_embeddings=n)


def llava(text=transformers.LlamaConfig, **sizes):
    torch.manual_seed(0)
    zoo = Zoo("<image>")
    hf, processor = _llava(zoo, text(**zoo.text(**sizes)))
    return nbt.load_model(awaken(hf, []), processor=processor)


def of(model, **options):
    return nbt.target(model, pictures()[0], "dog", **({"response": RESPONSE, "foil": "cat"} | options))


def test_all_instruments_measure_the_target_from_which_the_refusals_differ():
    t = of(llava())
    for name, instrument in ALL.items():
        assert instrument(t).check.holds, name


@pytest.mark.parametrize("foil", ["dog", "Dog", "DOG", " dog "])
def test_a_foil_that_is_the_word(foil):
    for model in (llava(), nbt.load_model("toy")):
        with pytest.raises(MethodError, match=f"foil is {foil!r}, which counts as the token; expected another word"):
            of(model, foil=foil)


def test_a_word_that_the_response_lacks():
    model = llava()
    for word, options, message in (
        (
            "cat",
            {},
            "'cat' is not in the response 'a red dog sits'; expected occurrence 0. Choose a word of the response",
        ),
        ("dog", {"occurrence": 1}, "'dog' is only 1 times in the response"),
        ("dogs", {}, "'dogs' is not in the response"),
    ):
        with pytest.raises(NothingFoundError, match=message):
            nbt.target(model, pictures()[0], word, response=RESPONSE, **options)
    with pytest.raises(NothingFoundError):
        nbt.targets(model, pictures(2), "cat", responses=[RESPONSE] * 2)


@pytest.mark.parametrize("name", NO_POSITIONS)
def test_a_family_without_image_positions(name):
    t = zoo_target(name)
    for title, instrument in IMAGE.items():
        with pytest.raises(nbt.NbtoolkitError, match=r"position") as caught:
            instrument(t)
        assert t.model.name in str(caught.value) or "expected" in str(caught.value), title
    for title, instrument in TEXT.items():
        if not (title.startswith("logit attribution") and name == "florence-2"):  # whose norms come after the sums
            assert instrument(t).check.holds, title


LINEAR = {"layer_types": ["linear_attention", "full_attention"] * 2, "linear_num_key_heads": 2, "linear_key_head_dim": 8,
          "linear_value_head_dim": 8}  # fmt: skip


@functools.cache
def hybrid(n_heads):
    if not hasattr(transformers, "Qwen3_5TextConfig"):
        pytest.skip("this transformers release has no Qwen3.5")
    return llava(transformers.Qwen3_5TextConfig, linear_num_value_heads=n_heads, **LINEAR)


def test_linear_attention_has_no_rows_and_no_cuts():
    t = of(hybrid(4))
    assert attention_to_image(t).values.layer.values.tolist() == [2, 4]
    for instrument in (IMAGE["knockout"], IMAGE["logit attribution of patches"]):
        with pytest.raises(ModelError, match=r"no attention between positions .* \(linear or cross-attention"):
            instrument(t)
    assert attention_knockout(t, layers=[2, 4], n_null=0).check.residual == 0
    with pytest.raises(
        ModelError, match=r"between the heads of layer 2 and their output projection \(a gate\) is neither"
    ):
        direct_logit_attribution(t, "patch", layers=[2, 4], n_draws=1)
    for name in ALL.keys() - {"knockout", "logit attribution of patches"}:
        assert ALL[name](t).check.holds, name


def test_heads_that_cannot_be_told_apart():
    t = of(hybrid(2))  # two heads of linear attention, in a model of four
    for instrument in HEADS.values():
        with pytest.raises(
            ModelError, match=r"cannot be separated; expected .* 4 equal slices, one per head \(it has 2 heads"
        ):
            instrument(t)
    heads = activation_patching(t, t.again(image=other), part="heads", groups=["last"], layers=[2, 4])
    assert heads.values.sizes["head"] == 4
    assert direct_logit_attribution(t, "head", layers=[2, 4], n_draws=1).check.holds
    mixed = of(llava(transformers.Qwen3MoeConfig, num_experts=2, num_experts_per_tok=1, moe_intermediate_size=16))
    with pytest.raises(ModelError, match=r"The MLP of layer 1 .* last matrices; expected one"):
        direct_logit_attribution(mixed, "neuron")


@pytest.mark.parametrize("name", ALL)
def test_a_sequence_over_the_context_length(name):
    t = of(context_of(24))  # one position less than the pass
    message = (
        r"have 25 sub-tokens; expected at most 24, the context of LlavaForConditionalGeneration\. Take a smaller image"
    )
    with pytest.raises(ModelError, match=message):
        ALL[name](t)
    assert of(context_of(25)).n_positions == 25


@functools.cache
def overflowing():
    model = llava()
    model.hf.half()
    with torch.no_grad():
        model.blocks[1].mlp.down_proj.weight.fill_(6e4)
    return model


@pytest.mark.parametrize("name", ALL)
def test_states_that_overflow_float16(name):
    message = (
        r"The states of .* overflow float16 at layer 2; expected finite numbers\. Load the model with dtype='float32'"
    )
    with pytest.raises(ModelError, match=message):
        ALL[name](of(overflowing()))


def test_edited_states_that_overflow_float16():
    model = llava()
    model.hf.half()
    t = of(model)
    states = np.repeat(t.residual(0)[None], 3, 0)
    states[1, -1, 0] = float("inf")  # as 65,504 and a little more
    for replay in (t.replay, t.replay_both):
        with pytest.raises(
            ModelError, match=r"of 'dog' is no finite number, because edited states .* overflow float16"
        ):
            replay(0, states)
    assert np.isfinite(t.replay(0, states[[0, 2]])).all()


def test_the_bank_of_the_contextual_lens_overflows():
    from .lens.test_tuned import captioned_images

    with pytest.raises(nbt.NbtoolkitError, match=r"float16|finite|overflow"):
        contextual(of(overflowing()), ContextualBank.of(overflowing(), captioned_images(), layers=[2]))


def test_a_measurement_opened_beside_another_model(tmp_path):
    hf, processor = build("llava")
    model = nbt.load_model(hf, processor=processor)
    path = logit_lens(of(model)).save(tmp_path / "lens")
    assert nbt.Measurement.open(path, model=model).name == "logit_lens"
    same, _ = build("llava")
    assert nbt.Measurement.open(path, model=nbt.load_model(same, processor=processor)).unit == "nats"
    with pytest.raises(StudyError, match=r"is of the model 'Llava.*'; expected 'toy'\. Measure again with this model"):
        nbt.Measurement.open(path, model=nbt.load_model("toy"))
    with torch.no_grad():
        same.get_output_embeddings().weight.add_(1e-3)
    with pytest.raises(
        StudyError, match=r"is of other weights of 'Llava.*', or of the same in another .* Measure again"
    ):
        nbt.Measurement.open(path, model=nbt.load_model(same, processor=processor))
    model.revision = "a"
    path = logit_lens(of(model)).save(tmp_path / "lens")
    model.revision = "b"
    with pytest.raises(StudyError, match=r"is of revision 'a' of 'Llava.*'; expected 'b'"):
        nbt.Measurement.open(path, model=model)
