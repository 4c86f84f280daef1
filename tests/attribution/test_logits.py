"""Direct logit attribution: parts sum to the logit, heads and neurons to their layer, sources to their head, in every family."""

import numpy as np
import pytest
import torch
import transformers

import nbtoolkit as nbt
from nbtoolkit.attribution import direct_logit_attribution
from nbtoolkit.attribution.parts import _matrix
from nbtoolkit.models.hooks import watching
from nbtoolkit.targets import target
from nbtoolkit.types.measurement import Measurement

from ..models.test_zoo import pictures
from ..zoo import Zoo, awaken, build
from ..zoo.recipes import _llava
from ..zoo_targets import EVERY, NO_POSITIONS, RESPONSE, zoo_target

POST_NORM = ("git", "florence-2")
MIXED = ("kosmos-2",)  # a layer norm over all heads stands before the output projection
GREEN = 2e-6  # relative to the sum of the parts' sizes


def total(result):
    return float(result.values.sum() + result.details["constant"].sum())


def check_units(t, experts=False):
    """All identities of one target; neurons are none of a mixture of experts."""
    layers = direct_logit_attribution(t)
    assert layers.check.residual < GREEN
    size = float(abs(layers.values).sum())
    assert float(layers.values.sum()) == pytest.approx(layers.provenance["before_softcap"], abs=GREEN * size)
    attention, mlp = (layers.values.sel(part=part).dropna("layer") for part in ("attention", "mlp"))
    heads, every = direct_logit_attribution(t, "head"), "all"
    if experts:
        with pytest.raises(nbt.NbtoolkitError, match=r"The MLP of layer 2 .* A mixture of experts has none"):
            direct_logit_attribution(t, "neuron")
        every = [1, 3]  # every other layer has neurons
    neurons = direct_logit_attribution(t, "neuron", layers=every)
    mlp = mlp if every == "all" else mlp.sel(layer=every)
    for units, whole, axis in ((heads, attention, "head"), (neurons, mlp, "neuron")):
        assert units.check.residual < GREEN and units.values.dims == ("layer", axis)
        sums = units.values.sum(axis) + units.details["constant"]
        np.testing.assert_allclose(sums, whole, atol=GREEN * size)
        np.testing.assert_allclose(units.details["parts"], layers.values, atol=GREEN * size)
    return layers, heads, size


@pytest.mark.parametrize(("name", "how"), EVERY)
@pytest.mark.parametrize("quantity", ["logit_difference", "log_prob"])
def test_parts_sum_in_every_family(name, how, quantity):
    t = zoo_target(name, how, **({"foil": "cat"} if quantity == "logit_difference" else {"quantity": quantity}))
    if name in POST_NORM:
        with pytest.raises(
            nbt.NbtoolkitError, match=r"do not sum to what its blocks add .* Use occlusion or integrated"
        ):
            direct_logit_attribution(t)
        return
    layers, heads, size = check_units(t, name == "llama4")
    assert ("deepstack" in layers.values.part) == (name == "qwen3-vl")
    if quantity == "logit_difference":
        assert float(layers.values.sum()) == pytest.approx(t.value, abs=1e-5) and layers.unit == "nats"
    else:
        assert layers.unit == "logits" and "minus the mean logit" in layers.note
    if name in NO_POSITIONS:
        with pytest.raises(nbt.NbtoolkitError, match="Attribution to source patches needs image positions"):
            direct_logit_attribution(t, "patch")
        return
    patches = direct_logit_attribution(t, "patch")
    assert patches.check.residual < GREEN and patches.values.sizes["patch"] == len(t.at("image"))
    sources = patches.values.sum("patch") + patches.details["text"].sum("group")
    if name not in MIXED:
        np.testing.assert_allclose(sources, heads.values, atol=GREEN * size)
    whole = sources.sum("head") + patches.details["constant"]
    np.testing.assert_allclose(whole, heads.values.sum("head") + heads.details["constant"], atol=GREEN * size)


TEXTS = {  # post-norms and a soft cap of the scores; a factor per branch and per logit; norms after the branch only; norms of the heads
    "gemma2": lambda zoo: transformers.Gemma2Config(**zoo.text(head_dim=16)),
    "granite": lambda zoo: transformers.GraniteConfig(
        **zoo.text(residual_multiplier=0.7, logits_scaling=3.0, embedding_multiplier=2.0)
    ),
    "olmo2": lambda zoo: transformers.Olmo2Config(**zoo.text()),
    "qwen3": lambda zoo: transformers.Qwen3Config(**zoo.text(head_dim=16)),
    "qwen3-moe": lambda zoo: transformers.Qwen3MoeConfig(
        **zoo.text(num_experts=2, num_experts_per_tok=1, moe_intermediate_size=16)
    ),
}


def model_with(text):
    torch.manual_seed(0)
    zoo = Zoo("<image>")
    hf, processor = _llava(zoo, TEXTS[text](zoo))
    return nbt.load_model(awaken(hf, []), processor=processor)


@pytest.mark.parametrize("text", [name for name in TEXTS if name != "qwen3-moe"])
def test_parts_sum_in_further_language_models(text):
    t = target(model_with(text), pictures()[0], "dog", response=RESPONSE, foil="cat")
    layers, *_ = check_units(t)
    assert layers.provenance["after_softcap"] == pytest.approx(t.value, abs=1e-5)
    assert direct_logit_attribution(t, "patch").check.residual < GREEN


def test_parts_sum_to_the_logit_before_a_soft_cap():
    hf, processor = build("llava")
    model = nbt.load_model(hf, processor=processor)
    plain = direct_logit_attribution(target(model, pictures()[0], "dog", response=RESPONSE, foil="cat"))
    model.softcap = 0.5
    t = target(model, pictures()[0], "dog", response=RESPONSE, foil="cat")
    capped = direct_logit_attribution(t)
    np.testing.assert_allclose(capped.values, plain.values, atol=1e-6)
    assert capped.provenance["before_softcap"] == plain.provenance["after_softcap"]
    assert capped.provenance["after_softcap"] == pytest.approx(t.value, abs=1e-6)
    assert abs(t.value - plain.provenance["before_softcap"]) > 1e-3 and "The soft cap turns" in capped.note


def test_a_mixture_of_experts_has_layers_and_heads_but_no_neurons():
    t = target(model_with("qwen3-moe"), pictures()[0], "dog", response=RESPONSE, foil="cat")
    assert direct_logit_attribution(t).check.residual < GREEN > direct_logit_attribution(t, "head").check.residual
    with pytest.raises(nbt.NbtoolkitError, match=r"The MLP of layer 1 .* last matrices; expected one"):
        direct_logit_attribution(t, "neuron")


def test_one_part_by_hand():
    t = zoo_target("llava")
    model, states = t.model, {}
    block = model.blocks[2]
    added = []
    handle = block.mlp.register_forward_hook(lambda _m, _a, out: added.append(out[0, -1].double()))
    with torch.no_grad(), watching(model.blocks, lambda i, h: states.__setitem__(i, h[0, -1].double())):
        model.hf(**t.inputs)
    handle.remove()
    last, norm = states[model.n_layers], model.norm
    dog, cat = (model.tokenizer.convert_tokens_to_ids(w) for w in ("dog", "cat"))
    weight = model.head.weight.detach().double()
    direction = (weight[dog] - weight[cat]) * norm.weight.detach().double()
    expected = direction @ added[0] / (last.pow(2).mean() + norm.variance_epsilon).sqrt()
    assert float(direct_logit_attribution(t).values.sel(layer=3, part="mlp")) == pytest.approx(
        float(expected), abs=1e-6
    )


def planted(write):
    hf, processor = build("llava")
    model = nbt.load_model(hf, processor=processor)
    with torch.no_grad():
        write(model, *(model.tokenizer.convert_tokens_to_ids(w) for w in ("dog", "cat")))
    return target(model, pictures()[0], "dog", response=RESPONSE, foil="cat")


def test_a_planted_neuron_ranks_first():
    t = zoo_target("llava")
    read = []
    handle = t.model.blocks[1].mlp.down_proj.register_forward_hook(lambda _m, args, _o: read.append(args[0][0, -1]))
    with torch.inference_mode():
        t.model.hf(**t.inputs)
    handle.remove()
    neuron = int(read[0].abs().argmax())
    sign = float(read[0][neuron].sign())

    def write(model, dog, cat):
        direction = (model.head.weight[dog] - model.head.weight[cat]) * model.norm.weight
        model.blocks[1].mlp.down_proj.weight[:, neuron] = 20 * sign * direction / direction.norm()

    values = direct_logit_attribution(planted(write), "neuron").values
    assert np.unravel_index(int(abs(values).values.argmax()), values.shape) == (1, neuron) and float(values.max()) > 0


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_a_planted_column_ranks_first_in_every_family(name, how):
    """The column of one neuron of the last layer writes the word: it ranks first, whatever norms and gates follow."""
    t = zoo_target(name, how)
    if name in POST_NORM or name == "llama4":
        pytest.skip(f"{name} has no sum of parts, or experts instead of neurons: both are refused, see above")
    layer = t.model.n_layers
    matrix = _matrix(t.model, layer, t.model.blocks[-1], "neuron")
    read = []
    handle = matrix.register_forward_hook(lambda _m, args, _o: read.append(args[0].reshape(-1, args[0].shape[-1])[-1]))
    with torch.inference_mode():
        t.model.hf(**t.inputs)
    handle.remove()
    neuron = int(read[-1].abs().argmax())
    own = t.recording.stream[-1].detach().clone().requires_grad_()
    with torch.enable_grad():
        direction = torch.autograd.grad(t.measure(own, gradient=True)[0], own)[0][0, -1]
    before = matrix.weight.detach().clone()
    try:
        with torch.no_grad():
            column = float(read[-1][neuron].sign()) * direction / direction.norm()
            matrix.weight[:, neuron] = 20 * column * float(before.norm(dim=0).max())
        values = direct_logit_attribution(t.again(t.image), "neuron", layers=[layer - 1, layer], n_draws=1).values
    finally:
        with torch.no_grad():
            matrix.weight.copy_(before)
    size = abs(values.values)
    assert np.unravel_index(int(size.argmax()), size.shape) == (1, neuron)
    assert float(values[1, neuron]) > 0 or name == "mllama"  # whose last layer has a gate, which is negative here


def test_a_planted_head_and_its_patch_rank_first():
    def write(model, dog, cat):
        direction = (model.head.weight[dog] - model.head.weight[cat]) * model.norm.weight
        weight = model.blocks[3].self_attn.o_proj.weight
        width = weight.shape[1] // model.n_heads
        weight[:, width : 2 * width] = 20 * torch.outer(direction / direction.norm(), torch.ones(width))

    t = planted(write)
    heads, patches = direct_logit_attribution(t, "head").values, direct_logit_attribution(t, "patch").values
    assert np.unravel_index(int(abs(heads).values.argmax()), heads.shape) == (3, 1)
    layer, head, patch = np.unravel_index(int(abs(patches).values.argmax()), patches.shape)
    assert (layer, head) == (3, 1) and 0 <= patch < len(t.at("image"))


def test_a_word_of_several_pieces_is_the_sum_of_their_logits(model, data):
    for kind in ("logit", "log_prob"):
        t = target(model, data[0]["image"], "umbrella", response="a umbrella", quantity=kind)
        result = direct_logit_attribution(t, "head")
        logits = model.unembed(t.recording.stream[-1][0, list(t.positions)]).double()
        centre = logits.mean(-1) if kind == "log_prob" else 0
        expected = float((logits[range(7), list(t.piece_ids)] - centre).sum())
        assert float(result.details["parts"].sum()) == pytest.approx(expected, rel=1e-5)


def test_random_sub_tokens_are_the_null(tmp_path):
    t = zoo_target("llava")
    a, b = (direct_logit_attribution(t, "head", random_state=0, n_draws=7) for _ in range(2))
    assert a.null.dims == ("draw", "layer", "head") and a.null.shape == (7, *a.values.shape) and a.null.equals(b.null)
    assert not a.null.equals(direct_logit_attribution(t, "head", random_state=1, n_draws=7).null)
    assert float(a.null.std()) == pytest.approx(float(a.values.std()), rel=2)
    again = Measurement.open(a.save(tmp_path / "heads"))
    assert (
        again.values.equals(a.values)
        and again.null.equals(a.null)
        and again.details["parts"].equals(a.details["parts"])
    )


def test_layers_can_be_chosen():
    t = zoo_target("llava")
    every, some = (
        direct_logit_attribution(t, "neuron").values,
        direct_logit_attribution(t, "neuron", layers=[-1, 2]).values,
    )
    assert some.layer.values.tolist() == [2, 4]
    np.testing.assert_allclose(some, every.sel(layer=[2, 4]))
    assert direct_logit_attribution(t, layers=[2]).values.shape == (1, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "expert"}, "unit is 'expert'; expected 'layer', 'head', 'neuron', 'patch'"),
        (
            {"unit": "head", "layers": [0]},
            r"layers is \[0\]; expected 'all', or for each layer a whole number from 1 to 4",
        ),
        ({"layers": []}, r"layers is \[\]; expected"),
        ({"layers": [7]}, "7"),
        ({"n_draws": 0}, "n_draws is 0; expected"),
    ],
)
def test_bad_input_is_one_clear_error(options, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        direct_logit_attribution(zoo_target("llava"), **options)


def test_a_model_whose_parts_were_never_checked_is_caught():
    t = zoo_target("git")
    t.model.parts_sum, before = None, t.model.parts_sum
    try:
        with pytest.raises(
            nbt.NbtoolkitError, match="its check fails: parts sum|enters no sum|neither a norm nor a factor"
        ):
            direct_logit_attribution(t)
    finally:
        t.model.parts_sum = before
