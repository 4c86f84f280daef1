"""Ablating, patching and steering on every family of the zoo: identities that hold for any weights."""

import contextlib

import numpy as np
import pytest
import torch
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit import interventions
from nbtoolkit.interventions import mean_contributions
from nbtoolkit.models.anatomy import branches, neuron_matrix
from nbtoolkit.models.hooks import watching

from ..models.test_zoo import load, pictures
from ..zoo import FAMILIES

# patching one whole layer with another picture's states gives that picture's logits, unless the picture reaches the
# blocks another way as well
EYES_ELSEWHERE = {"qwen3-vl": "deepstack adds the picture after the first blocks again", "mllama": "cross-attention",
                  "florence-2": "encoder-decoder", "blip-2-t5": "encoder-decoder"}  # fmt: skip
# skipping a block is leaving out its branches, unless the sum of block and branch is normed
NORMED_SUM = {"git": "a norm after each residual sum", "florence-2": "a norm after each residual sum"}
# the norms after the sums that a part of such a block enters, in their order
NORMS = {"git": {"attention": ["attention.output.LayerNorm"], "mlp": ["output.LayerNorm"]},
         "florence-2": {"attention": ["self_attn_layer_norm", "encoder_attn_layer_norm"], "mlp": ["final_layer_norm"]}}  # fmt: skip

# attention is more than its heads: a bias after them, or a second attention to the encoder
MORE_THAN_HEADS = ("blip-2", "instructblip", "kosmos-2", "git", "florence-2", "blip-2-t5")


@pytest.fixture(params=list(FAMILIES))
def name(request):
    return request.param


@pytest.fixture
def family(name):
    return load(name)


def run(model, inputs):
    with torch.inference_mode():
        return model.hf(**inputs).logits


def prompts(model, n=1):
    return [model.extend(model.encode([p]), [[]]) for p in pictures(2)[:n]]


def stream(model, inputs, layer):
    kept = {}
    with watching(model.blocks, lambda at, h: kept.__setitem__(at, h.clone())):
        run(model, inputs)
    return kept[layer]


def test_ablating_nothing_changes_no_bit(family):
    (inputs,) = prompts(family)
    plain = run(family, inputs)
    with (
        interventions.ablate(family, []),
        interventions.ablate(family, [], direction=np.ones(family.d_model)),
        interventions.steer(family, [], np.ones(family.d_model)),
    ):
        assert torch.equal(run(family, inputs), plain)
    with (
        pytest.raises(KeyError),
        interventions.ablate(family, range(1, family.n_layers + 1)),
    ):  # an error inside leaves no hook
        assert not torch.equal(run(family, inputs), plain)
        raise KeyError
    assert torch.equal(run(family, inputs), plain)


def test_patching_with_clean_states_gives_the_clean_logits(family, name):
    upright = pictures(1)[0]
    clean, other = (
        family.extend(family.encode([p]), [[]]) for p in (upright, upright.transpose(Image.Transpose.ROTATE_180))
    )
    plain, corrupted = run(family, clean), run(family, other)
    assert not torch.equal(plain, corrupted)
    for layer in range(family.n_layers + 1):
        states = stream(family, clean, layer)
        with interventions.patch(family, layer, states):
            assert torch.equal(run(family, clean), plain)
        if name not in EYES_ELSEWHERE or layer == family.n_layers:
            with interventions.patch(family, layer, states):
                assert torch.equal(run(family, other), plain)
        with interventions.patch(family, layer, states[:, -1:], positions=[states.shape[1] - 1]):
            assert torch.equal(run(family, clean), plain)


def test_adding_and_taking_away_a_vector_gives_the_logits_back(family):
    (inputs,) = prompts(family)
    plain, vector = run(family, inputs), np.random.default_rng(0).normal(size=family.d_model)
    for layer in (0, 1, -1):
        with interventions.steer(family, layer, vector):
            assert (run(family, inputs) - plain).abs().max() > 1e-3
            with interventions.steer(family, layer, vector, scale=-1):
                torch.testing.assert_close(run(family, inputs), plain, atol=1e-5 * float(plain.abs().max()), rtol=0)


def test_steering_adds_the_vector_times_the_scale():
    family = load("llava")
    (inputs,) = prompts(family)
    plain, vector = stream(family, inputs, 2), np.random.default_rng(0).normal(size=family.d_model)
    for scale in (1.0, 0.5, -3.0):
        with interventions.steer(family, 2, vector, scale=scale):
            added = stream(family, inputs, 2) - plain
        expected = scale * torch.tensor(vector, dtype=torch.float32)
        torch.testing.assert_close(added, expected.expand_as(added), atol=1e-5, rtol=1e-4)


def test_steering_at_positions():
    family = load("llava")
    (inputs,) = prompts(family)
    plain, vector = stream(family, inputs, 2), np.ones(family.d_model)
    n = plain.shape[1]
    for positions, expected in [([1, 4], {1, 4}), (slice(3, None), {*range(3, n)}), (slice(0, 2), {0, 1}), ([], set())]:
        with interventions.steer(family, 2, vector, positions=positions):
            added = (stream(family, inputs, 2) - plain)[0].abs().amax(-1) > 0.5
        assert {*added.nonzero()[:, 0].tolist()} == expected
    prompt = family.inputs(pictures(1))
    with interventions.steer(family, 2, 50 * vector, positions=[n + 1]):  # a position of the response, in a cached step
        steered = family.generate(prompt, 6)
    assert (steered[:, : n + 1] == family.generate(prompt, 6)[:, : n + 1]).all()
    for positions in ([-1], [True], ["a"], slice(-2, None), slice(0, 9, 2)):
        refused = pytest.raises(nbt.NbtoolkitError, match=r"positions is (\[|slice\()|An entry of positions is")
        with refused, interventions.steer(family, 2, vector, positions=positions):
            pass


def test_skipping_a_block_is_leaving_out_its_branches(family, name):
    (inputs,) = prompts(family)
    for layer in range(1, family.n_layers + 1):
        with interventions.ablate(family, layer, how="skip"):
            skipped, at = run(family, inputs), stream(family, inputs, layer)
            if name != "qwen3-vl":  # deepstack adds between the blocks
                assert torch.equal(at, stream(family, inputs, layer - 1))
        with interventions.ablate(family, layer, part="attention"), interventions.ablate(family, layer, part="mlp"):
            apart = run(family, inputs)
        alike = torch.allclose(apart, skipped, atol=1e-6 * float(skipped.abs().max()), rtol=0)
        assert alike is (name not in NORMED_SUM)


def test_ablations_are_the_same_cached_and_uncached(family):
    inputs = family.encode(pictures(1))
    direction = np.random.default_rng(0).normal(size=family.d_model)
    settings = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False, "num_beams": 1, "pad_token_id": family.pad,
                "output_logits": True, "return_dict_in_generate": True}  # fmt: skip
    seen = []
    for cached in (True, False):
        with (
            torch.inference_mode(),
            interventions.ablate(family, 2),
            interventions.ablate(family, 1, part="mlp"),
            interventions.ablate(family, 1, direction=direction),
        ):
            seen.append(family.hf.generate(**inputs, use_cache=cached, **settings))
    cached, uncached = seen
    assert torch.equal(cached.sequences, uncached.sequences) and len(cached.logits) == 6
    torch.testing.assert_close(torch.stack(cached.logits), torch.stack(uncached.logits), atol=1e-4, rtol=1e-4)


def test_no_head_is_no_attention_and_one_is_a_part_of_it(family, name):
    (inputs,) = prompts(family)
    plain, heads = run(family, inputs), range(family.n_heads)
    with interventions.ablate(family, 2, part="attention", heads=[0]):
        one = run(family, inputs)
    assert not torch.equal(one, plain) or name in ("mllama",)
    with (
        interventions.ablate(family, 2, part="attention", heads=[1]),
        interventions.ablate(family, 2, part="attention", heads=[0]),
    ):
        two = run(family, inputs)
    with interventions.ablate(family, 2, part="attention", heads=[0, 1]):
        torch.testing.assert_close(run(family, inputs), two, atol=0, rtol=0)
    if name not in MORE_THAN_HEADS:
        with interventions.ablate(family, 2, part="attention", heads=list(heads)):
            none = run(family, inputs)
        with interventions.ablate(family, 2, part="attention"):
            torch.testing.assert_close(run(family, inputs), none, atol=1e-6, rtol=0)


def through(model, inputs, layer, *names):
    """Input and output of a block in one pass, and of the modules of these names within it: (in, out) pairs."""
    pairs, block = [], model.blocks[layer - 1]

    def hook(_module, args, kwargs, out):
        given = args[0] if args else kwargs["hidden_states"]
        pairs.append((given[0].clone(), (out[0] if isinstance(out, tuple) else out)[0].clone()))

    handles = [(block.get_submodule(name) if name else block).register_forward_hook(hook, with_kwargs=True)
               for name in ("", *names)]  # fmt: skip
    try:
        run(model, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return pairs[-1], pairs[:-1]  # the block ends last


@contextlib.contextmanager
def silent(model, layer, part):
    """The branches of a part return zeros, by hooks of this test."""

    def hook(_module, _args, out):
        return (0 * out[0], *out[1:]) if isinstance(out, tuple) else 0 * out

    handles = [branch.register_forward_hook(hook) for branch in branches(model.blocks[layer - 1], part)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def entered(model, name, inputs, layer, part, other):
    """What a part adds, (positions, d_model), without the sums that the package looks for.

    Where the other part adds nothing it is all that the block adds; in blocks that norm each sum, the difference of a
    norm's input and the output of the norm before it.
    """
    if name not in NORMED_SUM:
        with silent(model, layer, other):
            (start, end), _ = through(model, inputs, layer)
        return end - start
    norms = NORMS[name]["attention"] + NORMS[name]["mlp"]
    (start, _), pairs = through(model, inputs, layer, *norms)
    befores = [start, *(out for _, out in pairs)]
    added = {norm: given - before for norm, (given, _), before in zip(norms, pairs, befores, strict=False)}
    return sum(added[norm].reshape(start.shape) for norm in NORMS[name][part])


@pytest.mark.parametrize(("part", "other"), [("attention", "mlp"), ("mlp", "attention")])
def test_mean_ablation_adds_the_mean_of_what_entered_the_sum(family, name, part, other):
    """After norms, gates, masks and factors of its own: on average nothing else is added than before."""
    (inputs,) = prompts(family)
    for layer in range(1, family.n_layers + 1):
        means = mean_contributions(family, pictures(2)[:1], [layer], part=part)
        if name in NORMED_SUM or part == "attention":
            before = entered(family, name, inputs, layer, part, other)
        else:  # the MLP reads what the attention adds, which therefore stays: the block without the attention's own
            (start, end), _ = through(family, inputs, layer)
            before = end - start - entered(family, name, inputs, layer, other, part)
        size = float(before.abs().max())
        np.testing.assert_allclose(means[layer], before.mean(0), atol=1e-5 * size)
        with interventions.ablate(family, layer, part=part, how="mean", means=means):
            after = entered(family, name, inputs, layer, part, other)
        torch.testing.assert_close(after, torch.from_numpy(means[layer]).expand_as(after), atol=1e-5 * size, rtol=1e-4)
        with interventions.ablate(family, layer, part=part):
            nothing = entered(family, name, inputs, layer, part, other)
        assert float(nothing.abs().max()) <= 1e-5 * size


def test_parts_sum_to_the_block_or_the_model_says_that_they_do_not(family, name):
    means = {
        part: mean_contributions(family, pictures(2)[:1], [1, 2], part=part) for part in ("block", "attention", "mlp")
    }
    for layer in (1, 2):
        block, parts = means["block"][layer], means["attention"][layer] + means["mlp"][layer]
        assert np.allclose(block, parts, atol=1e-5 * np.abs(block).max()) is family.parts_sum
    assert family.parts_sum is (name not in NORMED_SUM)


def test_the_mean_of_a_block_is_added_at_every_position(family):
    images = pictures(2)[:1]
    (inputs,) = prompts(family)
    means = mean_contributions(family, images, [1, 2])
    with interventions.ablate(family, [1, 2], how="mean", means=means):
        (start, end), _ = through(family, inputs, 2)
    torch.testing.assert_close(end - start, torch.from_numpy(means[2]).expand_as(start), atol=1e-4, rtol=1e-4)


def test_the_mean_contribution_is_over_all_positions_of_all_images():
    """Images of different lengths: every position counts the same, not every image."""
    family, images, added = load("pixtral"), pictures(4), []
    for image in images:
        inputs = family.extend(family.encode([image]), [[]])
        added.append((stream(family, inputs, 2) - stream(family, inputs, 1))[0].numpy())
    assert len({len(a) for a in added}) > 1
    means = mean_contributions(family, images, [2])
    np.testing.assert_allclose(means[2], np.concatenate(added).mean(0), atol=1e-5)


def test_a_direction_is_gone_and_the_rest_is_as_it_was(family):
    (inputs,) = prompts(family)
    u = np.random.default_rng(0).normal(size=family.d_model).astype(np.float32)
    unit = torch.from_numpy(u / np.linalg.norm(u))
    before = stream(family, inputs, 1)
    with interventions.ablate(family, 1, direction=3 * u):
        after = stream(family, inputs, 1)
    assert (after @ unit).abs().max() < 1e-5 * before.abs().max()
    torch.testing.assert_close(after, before - (before @ unit)[..., None] * unit)


@pytest.mark.parametrize(("change", "message"), [
    (lambda m: interventions.ablate(m, 0), "layers is 0; expected .* a whole number from 1 to 4"),
    (lambda m: interventions.ablate(m, [1, 9]), r"layers is \[1, 9\]; expected"),
    (lambda m: interventions.ablate(m, 1, part="norm"), "part is 'norm'; expected one of 'block', 'attention', 'mlp'"),
    (lambda m: interventions.ablate(m, 1, how="off"), "how is 'off'"),
    (lambda m: interventions.ablate(m, 1, heads=[0]), "heads are parts of attention"),
    (lambda m: interventions.ablate(m, 1, part="attention", heads=[9]), r"heads is \[9\]; expected heads between 0 and 3"),
    (lambda m: interventions.ablate(m, 1, how="mean"), "expected one each from mean_contributions"),
    (lambda m: interventions.ablate(m, 1, direction=np.zeros(32)), "all zeros"),
    (lambda m: interventions.ablate(m, 1, direction=np.ones(8)), r"shape \(8,\); expected \(32,\)"),
    (lambda m: interventions.steer(m, 1, np.full(32, np.nan)), "finite"),
    (lambda m: interventions.patch(m, 1, np.zeros((1, 2, 32)), positions=[3]), r"\(1, 2, 32\); expected \(n, 1, 32\)"),
    (lambda m: interventions.patch(m, 7, np.zeros((1, 2, 32))), "layer is 7; expected a whole number from 0 to 4"),
])  # fmt: skip
def test_what_cannot_be_done_is_said(change, message):
    with pytest.raises(nbt.NbtoolkitError, match=message), change(load("llava")):
        pytest.fail("it was accepted")


def test_patching_another_prompt_is_said():
    model = load("llava")
    with (
        pytest.raises(nbt.NbtoolkitError, match="expected the same images and prompt"),
        interventions.patch(model, 1, np.zeros((1, 3, 32))),
    ):
        run(model, prompts(model)[0])


def test_layers_count_from_the_end():
    model = load("llava")
    (inputs,) = prompts(model)
    with interventions.steer(model, [-1, 0, 2], np.ones(model.d_model)):
        a = run(model, inputs)
    with interventions.steer(model, [0, 2, 4], np.ones(model.d_model)):
        assert torch.equal(run(model, inputs), a)


def has_neurons(model):
    try:
        return neuron_matrix(model, 2)
    except nbt.errors.ModelError:
        pytest.skip("no single matrix has the neurons of this MLP as its inputs (a mixture of experts)")


def test_without_all_neurons_the_last_matrix_gives_its_bias(family):
    """And the neurons one by one sum to all of them: the matrix is linear."""
    matrix, (inputs,), written = has_neurons(family), prompts(family), []
    handle = matrix.register_forward_hook(lambda _m, _a, output: written.append(output.clone()))
    n = matrix.in_features
    groups = [[], list(range(n // 2)), list(range(n // 2, n)), list(range(n))]
    try:
        run(family, inputs)
        for group in groups[1:]:
            with interventions.ablate(family, 2, part="mlp", neurons=group):
                run(family, inputs)
    finally:
        handle.remove()
    plain, few, others, without = written
    bias = torch.zeros(1) if matrix.bias is None else matrix.bias
    torch.testing.assert_close(without, bias.expand_as(without))
    torch.testing.assert_close(few - bias + others, plain, atol=1e-5, rtol=1e-4)
    assert (few - plain).abs().max() > 0


def test_neurons_are_the_mlp_where_it_has_no_bias(family):
    matrix, (inputs,) = has_neurons(family), prompts(family)
    if matrix.bias is not None:
        pytest.skip("without its neurons this MLP still adds its bias, so it is not the MLP that is ablated")
    with interventions.ablate(family, 2, part="mlp"):
        whole = run(family, inputs)
    with interventions.ablate(family, 2, part="mlp", neurons=range(matrix.in_features)):
        torch.testing.assert_close(run(family, inputs), whole, atol=1e-5, rtol=1e-4)


def test_neurons_that_are_not_there_are_refused():
    model = load("llava")
    n = neuron_matrix(model, 1).in_features
    for options, message in (
        ({"part": "mlp", "neurons": [n]}, f"neurons of layer 1 from 0 to {n - 1}"),
        ({"part": "mlp", "neurons": []}, "neurons is"),
        ({"neurons": [0]}, "neurons are parts of the MLP: part='mlp'"),
        ({"part": "mlp", "neurons": [0], "how": "mean", "means": {1: np.zeros(model.d_model)}}, "no heads or neurons"),
    ):
        with pytest.raises(nbt.NbtoolkitError, match=message), interventions.ablate(model, 1, **options):
            pass


def test_states_of_the_prompt_are_patched_while_a_response_is_generated(family, name):
    """Steps with a cache equal whole passes with the same states."""
    if family.encoder_decoder:
        pytest.skip("an encoder reads the prompt: the decoder has no states of it to patch")
    inputs = family.encode([pictures(1)[0]])
    (full,) = prompts(family)
    layer, n = family.n_layers - 1, stream(family, full, 0).shape[1]
    at = [n // 2, n - 1]
    states = stream(family, full, layer)[:, at].flip(1) * 2
    generated, logits = [], []
    with interventions.patch(family, layer, states, at), torch.inference_mode():
        out = family.hf.generate(**inputs, max_new_tokens=4, min_new_tokens=4, do_sample=False, output_logits=True,
                                 return_dict_in_generate=True)  # fmt: skip
        generated, logits = out.sequences[0, -4:].tolist(), torch.stack(out.logits)[:, 0]
        for k in range(4):
            whole = family.unembed(last_states(family, family.extend(inputs, [generated[:k]])))
            torch.testing.assert_close(logits[k].float(), whole.float(), atol=2e-4, rtol=2e-4)


def last_states(model, inputs):
    return stream(model, inputs, model.n_layers)[0, -1]
