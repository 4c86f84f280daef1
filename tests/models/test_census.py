"""Every class that transformers maps from pictures to text: its parts are found, without weights or memory."""

import pytest
import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING as MAPPING

from nbtoolkit.errors import ModelError
from nbtoolkit.models.anatomy import anatomy

NO_HEAD = {"pi0"}  # a robot's policy: it says no words
NO_NORM = {"git", "florence2", "vision-encoder-decoder"}  # BERT- and BART-like: each block ends with its norm
NO_TOWER = {
    "evolla",
    "fuyu",
    "gemma4",
    "gemma4_unified",
    "mistral4",
    "pix2struct",
    "udop",
    "vision-encoder-decoder",
}  # none, or one with the text
OTHER_LENGTH = {"pp_formulanet"}  # its configuration counts encoder layers


def built():
    for config, model in MAPPING.items():
        try:
            with torch.device("meta"):
                yield config.model_type, model(config())
        except (ValueError, TypeError, AttributeError, KeyError, ImportError):
            yield config.model_type, None  # needs a real configuration, or timm


@pytest.mark.filterwarnings("ignore")
def test_blocks_norm_head_and_tower_are_found_in_every_class():
    found = dict(built())
    whole = {name: model for name, model in found.items() if model is not None}
    assert len(whole) >= 80 and len(whole) >= 0.85 * len(found)
    for name, hf in whole.items():
        if name in NO_HEAD:
            with pytest.raises(ModelError, match="has no output embeddings"):
                anatomy(hf)
            continue
        path, blocks, norm, head, vision = anatomy(hf)
        assert len(blocks) == hf.config.get_text_config(decoder=True).num_hidden_layers or name in OTHER_LENGTH, (
            name,
            path,
        )
        assert (type(norm).__name__ == "Identity") == (name in NO_NORM), (name, type(norm).__name__)
        assert head.weight.ndim == 2, name
        assert (vision is None) == (name in NO_TOWER), (name, type(vision).__name__)
        inside = vision is not None and any(m is blocks for m in vision.modules())
        assert not inside or name == "pp_formulanet", f"{name}: the blocks at {path} lie in the vision tower"
