"""Trained sparse autoencoders from files: the forward pass of SAELens by hand, and files that are refused."""

import contextlib
import json
import struct
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import nbtoolkit as nbt
from nbtoolkit.attribution import contributions, mentions

from .test_dictionaries import as_reps

D_MODEL, N = 12, 40


def write(folder, settings=None, change=None, n=N, d=D_MODEL, **tensors):
    """A folder as SAELens writes it."""
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    weights = {
        "W_enc": rng.normal(size=(d, n)),
        "b_enc": 0.1 * rng.normal(size=n),
        "W_dec": rng.normal(size=(n, d)),
        "b_dec": rng.normal(size=d),
    }
    weights = {k: v.astype(np.float32) for k, v in (weights | tensors).items() if v is not None}
    save_file(weights, folder / "sae_weights.safetensors")
    about = {
        "architecture": "standard",
        "d_in": d,
        "d_sae": n,
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
    }
    (folder / "cfg.json").write_text(json.dumps(about | (settings or {})))
    return {k: v.astype(float) for k, v in weights.items()}


@pytest.fixture
def Z(rng):
    return rng.normal(size=(30, D_MODEL)).astype(np.float32)


THRESHOLD = np.full(N, 0.8)
CASES = {
    "standard": ({}, {}, lambda v, w: np.maximum(v, 0)),
    "no b_dec at the input": ({"apply_b_dec_to_input": False}, {}, lambda v, w: np.maximum(v, 0)),
    "without architecture": ({"architecture": None, "activation_fn_str": "relu"}, {}, lambda v, w: np.maximum(v, 0)),
    "jumprelu": ({"architecture": "jumprelu"}, {"threshold": THRESHOLD}, lambda v, w: v * (v > 0.8)),
    "jumprelu of a training file": (
        {"architecture": "jumprelu"},
        {"log_threshold": np.log(THRESHOLD)},
        lambda v, w: v * (v > 0.8),
    ),
    "topk": ({"architecture": "topk", "k": 3}, {}, lambda v, w: np.maximum(v, 0) * (v >= np.sort(v, 1)[:, [-3]])),
    "topk of earlier versions": (
        {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 3}},
        {},
        lambda v, w: np.maximum(v, 0) * (v >= np.sort(v, 1)[:, [-3]]),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_forward_pass_is_that_of_the_file(case, tmp_path, Z):
    settings, tensors, activate = CASES[case]
    w = write(tmp_path / "sae", settings, **tensors)
    if settings.get("architecture", "") is None:
        about = json.loads((tmp_path / "sae" / "cfg.json").read_text())
        del about["architecture"]
        (tmp_path / "sae" / "cfg.json").write_text(json.dumps(about))
    sae = nbt.read_sae(tmp_path / "sae")
    cd = nbt.decompose(as_reps(Z), sae, layer=0)
    centre = w["b_dec"] if settings.get("apply_b_dec_to_input", True) else 0
    V = activate((Z - centre) @ w["W_enc"] + w["b_enc"], w)
    np.testing.assert_allclose(cd.activations, V, atol=1e-4)
    np.testing.assert_array_equal(cd.decoder, w["W_dec"].astype(np.float32))
    np.testing.assert_array_equal(cd.offset, w["b_dec"].astype(np.float32))
    np.testing.assert_allclose(cd.reconstruct(Z), V @ w["W_dec"] + w["b_dec"], atol=1e-3)
    assert cd.n_concepts == N > len(Z) and cd.encoder is sae  # as it is, without fitting


def test_scales_are_folded_into_the_weights(tmp_path, Z):
    """A factor at the input, decoder norms, and the scale of finetuned concepts: ẑ stays what SAELens computes."""
    w = write(tmp_path / "a", {"normalize_activations": "expected_average_only_in", "norm_scaling_factor": 0.25})
    V = np.maximum((0.25 * Z - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    cd = nbt.decompose(as_reps(Z), nbt.read_sae(tmp_path / "a"), layer=0)
    np.testing.assert_allclose(cd.activations, V, atol=1e-4)
    np.testing.assert_allclose(cd.reconstruct(Z), (V @ w["W_dec"] + w["b_dec"]) / 0.25, atol=2e-3)

    w = write(tmp_path / "b", {"architecture": "topk", "k": 3, "rescale_acts_by_decoder_norm": True})
    norms = np.linalg.norm(w["W_dec"], axis=1)
    values = ((Z - w["b_dec"]) @ w["W_enc"] + w["b_enc"]) * norms
    V = np.maximum(values, 0) * (values >= np.sort(values, 1)[:, [-3]])
    cd = nbt.decompose(as_reps(Z), nbt.read_sae(tmp_path / "b"), layer=0)
    np.testing.assert_allclose(cd.activations, V, atol=1e-3)
    np.testing.assert_allclose(cd.reconstruct(Z), V / norms @ w["W_dec"] + w["b_dec"], atol=2e-3)

    scale = np.linspace(0.5, 2, N)
    w = write(tmp_path / "c", {"finetuning_scaling_factor": True}, scaling_factor=scale)
    V = np.maximum((Z - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    cd = nbt.decompose(as_reps(Z), nbt.read_sae(tmp_path / "c"), layer=0)
    np.testing.assert_allclose(cd.reconstruct(Z), V * scale @ w["W_dec"] + w["b_dec"], atol=2e-3)


def test_bfloat16_weights_and_the_path_of_the_file(tmp_path):
    w = write(tmp_path / "sae", {"metadata": {"hook_name": "blocks.4.hook_resid_post"}})
    file = tmp_path / "sae" / "sae_weights.safetensors"
    raw = {k: (v.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16) for k, v in w.items()}
    header, body = {}, b""
    for name, values in raw.items():
        header[name] = {
            "dtype": "BF16",
            "shape": list(values.shape),
            "data_offsets": [len(body), len(body) + values.nbytes],
        }
        body += values.tobytes()
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + body)
    sae = nbt.read_sae(file)
    assert sae.hook == "blocks.4.hook_resid_post" and sae.components_.dtype == np.float32
    np.testing.assert_allclose(sae.components_, w["W_dec"], rtol=1e-2)


REFUSED = {
    "gated": (
        {"architecture": "gated"},
        {},
        "has architecture 'gated' with activation 'relu'; expected 'standard', 'jumprelu'",
    ),
    "batchtopk": ({"architecture": "batchtopk"}, {}, "save the inference version"),
    "tanh": ({"activation_fn_str": "tanh-relu"}, {}, "with activation 'tanh-relu'"),
    "k": ({"architecture": "topk"}, {}, "k in .*cfg.json' is None; expected a whole number of at least 1"),
    "layer norm": ({"normalize_activations": "layer_norm"}, {}, "is 'layer_norm'; expected 'none' or .* no decoder"),
    "factor": ({"normalize_activations": "expected_average_only_in"}, {}, "without norm_scaling_factor"),
    "heads": ({"reshape_activations": "hook_z"}, {}, "is of attention heads"),
    "missing": ({}, {"W_enc": None}, "lacks W_enc; it has W_dec, b_dec, b_enc"),
    "threshold": ({"architecture": "jumprelu"}, {}, "lacks threshold"),
    "shape": ({}, {"b_enc": np.zeros(3)}, r"b_enc in .* has shape \(3,\); expected \(40,\), as W_dec has \(40, 12\)"),
    "nan": ({}, {"b_dec": np.full(D_MODEL, np.nan)}, "b_dec in .* has NaN or infinity"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_are_refused(case, tmp_path):
    settings, tensors, message = REFUSED[case]
    write(tmp_path / "sae", settings, **tensors)
    with pytest.raises(nbt.errors.DataError, match=message):
        nbt.read_sae(tmp_path / "sae")


def test_damaged_and_missing_files(tmp_path):
    with pytest.raises(
        nbt.errors.DataError, match="There is no sparse autoencoder at .*expected a folder with cfg.json"
    ):
        nbt.read_sae(tmp_path)
    write(tmp_path / "sae")
    file = tmp_path / "sae" / "sae_weights.safetensors"
    whole = file.read_bytes()
    for damaged in (whole[:5], whole[:-9], b"\xff" * 16 + whole, struct.pack("<Q", 4) + b"null"):
        file.write_bytes(damaged)
        with pytest.raises(nbt.errors.DataError, match=r"sae_weights.safetensors' is no safetensors file, or damaged"):
            nbt.read_sae(tmp_path / "sae")
    file.write_bytes(whole)
    (tmp_path / "sae" / "cfg.json").write_text("[1")
    with pytest.raises(nbt.errors.DataError, match=r"cfg.json' is damaged"):
        nbt.read_sae(tmp_path / "sae")
    (tmp_path / "sae" / "cfg.json").unlink()
    with pytest.raises(nbt.errors.DataError, match="has no cfg.json beside it"):
        nbt.read_sae(tmp_path / "sae")


KINDS = [None, True, -1, 1e999, "x", [], {}, [1], {"a": 1}]


def test_settings_of_any_kind_are_read_or_refused(tmp_path):
    write(tmp_path / "sae")
    about = json.loads((tmp_path / "sae" / "cfg.json").read_text())
    names = [
        *about,
        "activation_fn_kwargs",
        "k",
        "norm_scaling_factor",
        "metadata",
        "hook_name",
        "activation_fn",
        "finetuning_scaling_factor",
    ]
    for name in names:
        for value in KINDS:
            more = {
                "norm_scaling_factor": {"normalize_activations": "expected_average_only_in"},
                "k": {"architecture": "topk"},
            }
            (tmp_path / "sae" / "cfg.json").write_text(json.dumps(about | more.get(name, {}) | {name: value}))
            with contextlib.suppress(nbt.NbtoolkitError):
                nbt.read_sae(tmp_path / "sae")
    for text in ("[" * 100_000, '{"architecture": "standard", "architecture": "topk"}', "7"):
        (tmp_path / "sae" / "cfg.json").write_text(text)
        with pytest.raises(nbt.errors.DataError, match=r"cfg.json' is damaged"):
            nbt.read_sae(tmp_path / "sae")


def test_weights_whose_offsets_overlap_are_refused(tmp_path):
    write(tmp_path / "sae")
    file = tmp_path / "sae" / "sae_weights.safetensors"
    raw = file.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    header["W_dec"]["data_offsets"] = header["W_enc"]["data_offsets"]
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])
    with pytest.raises(nbt.errors.DataError, match=r"sae_weights.safetensors' is no safetensors file, or damaged"):
        nbt.read_sae(tmp_path / "sae")


def test_an_autoencoder_of_another_width(tmp_path, reps):
    write(tmp_path / "sae", {"hook_name": "blocks.3.hook_resid_post"})
    with pytest.raises(
        nbt.errors.MethodError,
        match=r"reads states of width 12; expected 128, the width of X. Use one .* \(this one reads blocks.3.hook_resid_post\)",
    ):
        nbt.decompose(reps, nbt.read_sae(tmp_path / "sae"), layer=4)


def test_a_study_of_a_trained_autoencoder(tmp_path, model, data, reps):
    """Grounded, attributed, saved with its decoder once, opened without torch."""
    write(tmp_path / "sae", {"architecture": "topk", "k": 8}, n=300, d=128)
    sae = nbt.read_sae(tmp_path / "sae")
    study = nbt.study(model, data.select(range(60)), "dog", method=sae, layers=[4], progress=False)
    cd = study.dictionary(4)
    assert cd.n_concepts == 300 and len(study.grounding(4).words) == 300
    result = contributions(mentions(model, data["image"][22:23], "dog"), cd)
    assert ((result.ablation != 0).sum(1) <= 8).all()
    path = study.save(tmp_path / "x.study")
    assert "layer.004.encoder.components_" not in load_file(path / "dictionaries.safetensors")
    opened = nbt.open_study(path).dictionary(4)
    Z = study.representations.layer(4)
    np.testing.assert_array_equal(opened.encode(Z), cd.encode(Z))
    np.testing.assert_array_equal(opened.reconstruct(Z), cd.reconstruct(Z))
    code = (
        "import sys, nbtoolkit as nbt; s = nbt.open_study(sys.argv[1]); cd = s.dictionary(4);"
        "cd.reconstruct(s.representations.layer(4)); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
