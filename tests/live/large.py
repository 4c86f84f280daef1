"""A random LLaVA of many layers and image tokens, and long responses: what an Inspector has to carry."""

import functools

import torch
import transformers as hf

import nbtoolkit as nbt

from ..zoo.parts import TEXT, VISION, Zoo, awaken, template

LAYERS, HEADS, SIDE, PATCH = 24, 16, 336, 14  # 576 image tokens


@functools.cache
def large_llava():
    """24 layers of 16 heads, narrow ones, over 24 × 24 patches."""
    torch.manual_seed(0)
    zoo = Zoo("<image>")
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS}
    sizes |= {"num_key_value_heads": HEADS, "head_dim": 4, "max_position_embeddings": 2048}
    text = hf.LlamaConfig(**(TEXT | sizes | {"vocab_size": len(zoo)}))
    vision = hf.CLIPVisionConfig(**(VISION | {"image_size": SIDE, "patch_size": PATCH}))
    config = hf.LlavaConfig(vision_config=vision, text_config=text, image_token_index=zoo["<image>"], vision_feature_layer=-1,
                            vision_feature_select_strategy="default", image_seq_length=576)  # fmt: skip
    images = hf.CLIPImageProcessor(size={"height": SIDE, "width": SIDE}, do_center_crop=False)
    processor = hf.LlavaProcessor(images, zoo.tokenizer, patch_size=PATCH, vision_feature_select_strategy="default",
                                  num_additional_image_tokens=1, chat_template=template("<image>"))  # fmt: skip
    model = awaken(hf.LlavaForConditionalGeneration(config), range(8))
    return nbt.load_model(model, processor=processor)
