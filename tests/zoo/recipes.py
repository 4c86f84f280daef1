"""One recipe a family: the family's own config classes, image processor and processor, at the smallest sizes that still do everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers as hf
from tokenizers import Regex, decoders, normalizers, pre_tokenizers

from .parts import END, PATCH, PIXELS, SIDE, VISION, WORDS, Zoo, awaken, template

FAMILIES: dict[str, Callable[[], tuple[Any, Any]]] = {}


def family(name: str) -> Callable[[Any], Any]:
    def keep(recipe: Any) -> Any:
        FAMILIES[name] = recipe
        return recipe

    return keep


def build(name: str) -> tuple[Any, Any]:
    """A tiny model of the family, and its processor; the same weights every time."""
    torch.manual_seed(0)
    model, processor = FAMILIES[name]()
    words = set(processor.tokenizer.convert_tokens_to_ids(list(WORDS)))
    size = model.get_output_embeddings().weight.shape[0]
    return awaken(model, [i for i in range(size) if i not in words and i != END]), processor


def _llava(zoo: Zoo, text: Any, **more: Any) -> tuple[Any, Any]:
    vision = hf.CLIPVisionConfig(**VISION)
    config = hf.LlavaConfig(vision_config=vision, text_config=text, image_token_index=zoo["<image>"], vision_feature_layer=-1,
                            vision_feature_select_strategy="default", image_seq_length=16, **more)  # fmt: skip
    processor = hf.LlavaProcessor(hf.CLIPImageProcessor(**PIXELS), zoo.tokenizer, patch_size=PATCH, vision_feature_select_strategy="default",
                                  num_additional_image_tokens=1, chat_template=template("<image>"))  # fmt: skip
    return hf.LlavaForConditionalGeneration(config), processor


@family("llava")
def _() -> tuple[Any, Any]:
    zoo = Zoo("<image>")
    return _llava(zoo, hf.LlamaConfig(**zoo.text()))


@family("llava-mistral")
def _() -> tuple[Any, Any]:
    zoo = Zoo("<image>")
    return _llava(zoo, hf.MistralConfig(**zoo.text(sliding_window=8)))


@family("llava-qwen2")
def _() -> tuple[Any, Any]:
    zoo = Zoo("<image>")
    return _llava(zoo, hf.Qwen2Config(**zoo.text()))


@family("pixtral")
def _() -> tuple[Any, Any]:
    zoo = Zoo("[IMG]", "[IMG_BREAK]", "[IMG_END]")
    vision = hf.PixtralVisionConfig(**VISION, head_dim=8)
    config = hf.LlavaConfig(vision_config=vision, text_config=hf.MistralConfig(**zoo.text()), image_token_index=zoo["[IMG]"],
                            vision_feature_layer=-1, vision_feature_select_strategy="full")  # fmt: skip
    images = hf.PixtralImageProcessor(size={"longest_edge": SIDE}, patch_size={"height": PATCH, "width": PATCH})
    return hf.LlavaForConditionalGeneration(config), hf.PixtralProcessor(
        images, zoo.tokenizer, patch_size=PATCH, chat_template=template("[IMG]")
    )


@family("mistral3")
def _() -> tuple[Any, Any]:
    zoo = Zoo("[IMG]", "[IMG_BREAK]", "[IMG_END]")
    vision = hf.PixtralVisionConfig(**VISION, head_dim=8)
    config = hf.Mistral3Config(vision_config=vision, text_config=hf.MistralConfig(**zoo.text()), image_token_index=zoo["[IMG]"],
                               vision_feature_layer=-1, spatial_merge_size=2)  # fmt: skip
    images = hf.PixtralImageProcessor(size={"longest_edge": 2 * SIDE}, patch_size={"height": PATCH, "width": PATCH})
    processor = hf.PixtralProcessor(
        images, zoo.tokenizer, patch_size=PATCH, spatial_merge_size=2, chat_template=template("[IMG]")
    )
    return hf.Mistral3ForConditionalGeneration(config), processor


@family("llava-next")
def _() -> tuple[Any, Any]:
    zoo = Zoo("<image>")
    grid = [[SIDE, 2 * SIDE], [2 * SIDE, SIDE]]
    config = hf.LlavaNextConfig(vision_config=hf.CLIPVisionConfig(**VISION), text_config=hf.LlamaConfig(**zoo.text()), image_token_index=zoo["<image>"],
                                image_grid_pinpoints=grid, vision_feature_layer=-1, vision_feature_select_strategy="default")  # fmt: skip
    images = hf.LlavaNextImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=grid
    )
    processor = hf.LlavaNextProcessor(images, zoo.tokenizer, patch_size=PATCH, vision_feature_select_strategy="default",
                                      num_additional_image_tokens=1, chat_template=template("<image>"))  # fmt: skip
    return hf.LlavaNextForConditionalGeneration(config), processor


@family("llava-onevision")
def _() -> tuple[Any, Any]:
    zoo = Zoo("<image>", "<video>")
    grid = [[SIDE, SIDE], [SIDE, 2 * SIDE]]
    config = hf.LlavaOnevisionConfig(vision_config=hf.SiglipVisionConfig(**VISION), text_config=hf.Qwen2Config(**zoo.text()),
                                     image_token_index=zoo["<image>"], video_token_index=zoo["<video>"], image_grid_pinpoints=grid,
                                     vision_feature_layer=-1, vision_feature_select_strategy="full")  # fmt: skip
    images = hf.LlavaOnevisionImageProcessor(size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=grid)
    processor = hf.LlavaOnevisionProcessor(images, zoo.tokenizer, hf.LlavaOnevisionVideoProcessor(), num_image_tokens=16,
                                           vision_feature_select_strategy="full", chat_template=template("<image>"))  # fmt: skip
    return hf.LlavaOnevisionForConditionalGeneration(config), processor


def _qwen(zoo: Zoo, version: str) -> tuple[Any, Any]:
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}
    ids = {"image_token_id": zoo["<|image_pad|>"], "video_token_id": zoo["<|video_pad|>"], "vision_start_token_id": zoo["<|vision_start|>"],
           "vision_end_token_id": zoo["<|vision_end|>"]}  # fmt: skip
    common = {"patch_size": PATCH, "spatial_merge_size": 2, "temporal_patch_size": 2}
    vision = {"2": {"embed_dim": 32, "depth": 2, "num_heads": 4, "hidden_size": 32, "mlp_ratio": 2},
              "2_5": {"hidden_size": 32, "intermediate_size": 64, "depth": 2, "num_heads": 4, "out_hidden_size": 32, "window_size": 16,
                      "fullatt_block_indexes": [1]},
              "3": {"hidden_size": 32, "intermediate_size": 64, "depth": 2, "num_heads": 4, "out_hidden_size": 32, "deepstack_visual_indexes": [0, 1],
                    "num_position_embeddings": 64}}[version]  # fmt: skip
    name = {"2": "Qwen2VL", "2_5": "Qwen2_5_VL", "3": "Qwen3VL"}[version]
    text = zoo.text(rope_parameters=rope)
    config = getattr(hf, name + "Config")(text_config=text, vision_config=vision | common, **ids)
    images = hf.Qwen2VLImageProcessor(
        size={"shortest_edge": 256, "longest_edge": 40 * 40}, patch_size=PATCH, merge_size=2, temporal_patch_size=2
    )
    video = hf.Qwen3VLVideoProcessor() if version == "3" else hf.Qwen2VLVideoProcessor()
    processor = getattr(hf, name + "Processor")(
        images, zoo.tokenizer, video, chat_template=template("<|vision_start|><|image_pad|><|vision_end|>")
    )
    return getattr(hf, name + "ForConditionalGeneration")(config), processor


_QWEN = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
for _version, _name in (("2", "qwen2-vl"), ("2_5", "qwen2.5-vl"), ("3", "qwen3-vl")):
    FAMILIES[_name] = lambda version=_version: _qwen(Zoo(*_QWEN), version)


@family("glm-4v")
def _() -> tuple[Any, Any]:
    zoo = Zoo(
        "<|image|>", "<|video|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>"
    )
    text = zoo.text(
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [2, 1, 1],
            "partial_rotary_factor": 1.0,
        }
    )
    vision = {"hidden_size": 32, "intermediate_size": 64, "depth": 2, "num_heads": 4, "out_hidden_size": 32, "patch_size": PATCH, "image_size": SIDE,
              "spatial_merge_size": 2, "temporal_patch_size": 2}  # fmt: skip
    config = hf.Glm4vConfig(text_config=text, vision_config=vision, image_token_id=zoo["<|image|>"], video_token_id=zoo["<|video|>"],
                            image_start_token_id=zoo["<|begin_of_image|>"], image_end_token_id=zoo["<|end_of_image|>"],
                            video_start_token_id=zoo["<|begin_of_video|>"], video_end_token_id=zoo["<|end_of_video|>"])  # fmt: skip
    images = hf.Glm4vImageProcessor(
        size={"shortest_edge": 512, "longest_edge": 4096}, patch_size=PATCH, merge_size=2, temporal_patch_size=2
    )
    processor = hf.Glm4vProcessor(
        images,
        zoo.tokenizer,
        hf.Glm4vVideoProcessor(),
        chat_template=template("<|begin_of_image|><|image|><|end_of_image|>"),
    )
    return hf.Glm4vForConditionalGeneration(config), processor


@family("idefics2")
def _() -> tuple[Any, Any]:
    zoo = Zoo("<fake_token_around_image>", "<image>", "<end_of_utterance>")
    config = hf.Idefics2Config(vision_config=VISION, text_config=hf.MistralConfig(**zoo.text()), image_token_id=zoo["<image>"],
                               perceiver_config={"hidden_size": 32, "resampler_n_latents": 4, "resampler_depth": 1, "resampler_n_heads": 4,
                                                 "resampler_head_dim": 8, "num_key_value_heads": 2})  # fmt: skip
    images = hf.Idefics2ImageProcessor(
        size={"shortest_edge": SIDE // 2, "longest_edge": SIDE}, do_image_splitting=False
    )
    return hf.Idefics2ForConditionalGeneration(config), hf.Idefics2Processor(
        images, zoo.tokenizer, image_seq_len=4, chat_template=template("<image>")
    )


_ROWS = [f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)]


def _idefics3(name: str) -> tuple[Any, Any]:
    zoo = Zoo("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", "<video>", *_ROWS)
    config = getattr(hf, name + "Config")(
        vision_config=VISION, text_config=hf.LlamaConfig(**zoo.text()), image_token_id=zoo["<image>"], scale_factor=2
    )
    images = getattr(hf, name + "ImageProcessor")(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
    )
    more = (
        {"video_processor": hf.SmolVLMVideoProcessor(max_image_size={"longest_edge": SIDE})}
        if name == "SmolVLM"
        else {}
    )
    processor = getattr(hf, name + "Processor")(
        images, zoo.tokenizer, image_seq_len=4, chat_template=template("<image>"), **more
    )
    return getattr(hf, name + "ForConditionalGeneration")(config), processor


FAMILIES["idefics3"] = lambda: _idefics3("Idefics3")
FAMILIES["smolvlm"] = lambda: _idefics3("SmolVLM")


@family("paligemma")
def _() -> tuple[Any, Any]:
    zoo = Zoo("<image>")
    images = hf.SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    images.image_seq_length = 16
    processor = hf.PaliGemmaProcessor(images, zoo.tokenizer)
    text = hf.GemmaConfig(**zoo.text())
    config = hf.PaliGemmaConfig(vision_config=hf.SiglipVisionConfig(**VISION, projection_dim=32), text_config=text, projection_dim=32,
                                image_token_index=zoo["<image>"], pad_token_id=0)  # fmt: skip
    return hf.PaliGemmaForConditionalGeneration(config), processor


@family("gemma3")
def _() -> tuple[Any, Any]:
    zoo = Zoo(
        named={"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    )
    config = hf.Gemma3Config(vision_config=hf.SiglipVisionConfig(**VISION), mm_tokens_per_image=4, image_token_index=zoo["<image_soft_token>"],
                             text_config=hf.Gemma3TextConfig(**zoo.text(sliding_window=8, query_pre_attn_scalar=8)),
                             boi_token_index=zoo["<start_of_image>"], eoi_token_index=zoo["<end_of_image>"], eos_token_id=2)  # fmt: skip
    images = hf.Gemma3ImageProcessor(size={"height": SIDE, "width": SIDE}, do_pan_and_scan=False)
    processor = hf.Gemma3Processor(
        images, zoo.tokenizer, chat_template=template("<start_of_image>"), image_seq_length=4
    )
    return hf.Gemma3ForConditionalGeneration(config), processor


@family("internvl")
def _() -> tuple[Any, Any]:
    zoo = Zoo(
        named={
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        }
    )
    vision = hf.InternVLVisionConfig(**VISION | {"image_size": [SIDE, SIDE], "patch_size": [PATCH, PATCH]})
    config = hf.InternVLConfig(vision_config=vision, text_config=hf.Qwen2Config(**zoo.text()), image_token_id=zoo["<IMG_CONTEXT>"],
                               image_seq_length=4, downsample_ratio=0.5)  # fmt: skip
    images = hf.GotOcr2ImageProcessor(size={"height": SIDE, "width": SIDE}, crop_to_patches=True, max_patches=2)
    processor = hf.InternVLProcessor(
        images, zoo.tokenizer, hf.InternVLVideoProcessor(), image_seq_length=4, chat_template=template("<IMG_CONTEXT>")
    )
    return hf.InternVLForConditionalGeneration(config), processor


@family("aya-vision")
def _() -> tuple[Any, Any]:
    tiles = [f"TILE_{i}" for i in range(1, 5)]
    zoo = Zoo(
        "<image>", "<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>", "TILE_GLOBAL", *tiles
    )
    config = hf.AyaVisionConfig(vision_config=hf.SiglipVisionConfig(**VISION), text_config=hf.Cohere2Config(**zoo.text(sliding_window=8, logit_scale=0.25)),
                                image_token_index=zoo["<|IMG_PATCH|>"], vision_feature_layer=-1, downsample_factor=2,
                                vision_feature_select_strategy="full", adapter_layer_norm_eps=1e-6)  # fmt: skip
    images = hf.GotOcr2ImageProcessor(size={"height": SIDE, "width": SIDE}, crop_to_patches=True, max_patches=2)
    processor = hf.AyaVisionProcessor(
        images, zoo.tokenizer, patch_size=PATCH, img_size=SIDE, downsample_factor=2, chat_template=template("<image>")
    )
    return hf.AyaVisionForConditionalGeneration(config), processor


@family("cohere2-vision")
def _() -> tuple[Any, Any]:
    zoo = Zoo(named={"boi_token": "<|START_OF_IMG|>", "eoi_token": "<|END_OF_IMG|>", "image_token": "<|IMG_PATCH|>",
                     "img_line_break_token": "<|IMG_LINE_BREAK|>"})  # fmt: skip
    config = hf.Cohere2VisionConfig(vision_config=hf.SiglipVisionConfig(**VISION), image_token_id=zoo["<|IMG_PATCH|>"], downsample_factor=2,
                                    text_config=hf.Cohere2Config(**zoo.text(sliding_window=8)), alignment_intermediate_size=64)  # fmt: skip
    images = hf.Cohere2VisionImageProcessor(
        size={"height": SIDE, "width": SIDE}, patch_size=PATCH, downsample_factor=2, max_patches=2
    )
    images.patch_size = 2
    return hf.Cohere2VisionForConditionalGeneration(config), hf.Cohere2VisionProcessor(
        images, zoo.tokenizer, chat_template=template("<|IMG_PATCH|>")
    )


@family("llama4")
def _() -> tuple[Any, Any]:
    zoo = Zoo(
        "<|image|>", "<|image_start|>", "<|image_end|>", "<|patch|>", "<|tile_x_separator|>", "<|tile_y_separator|>"
    )
    text = zoo.text(
        intermediate_size_mlp=64,
        num_local_experts=2,
        num_experts_per_tok=1,
        attention_chunk_size=32,
        interleave_moe_layer_step=2,
    )
    vision = VISION | {
        "vision_output_dim": 32,
        "projector_input_dim": 32,
        "projector_output_dim": 32,
        "intermediate_size": 128,
    }
    config = hf.Llama4Config(text_config=text, vision_config=vision, image_token_index=zoo["<|patch|>"])
    images = hf.Llama4ImageProcessor(size={"height": SIDE, "width": SIDE}, max_patches=2)
    return hf.Llama4ForConditionalGeneration(config), hf.Llama4Processor(
        images, zoo.tokenizer, patch_size=PATCH, chat_template=template("<|image|>")
    )


_QFORMER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "encoder_hidden_size": 32,
            "cross_attention_frequency": 1}  # fmt: skip


def _opt(zoo: Zoo) -> Any:
    return hf.OPTConfig(vocab_size=len(zoo), hidden_size=32, ffn_dim=64, num_hidden_layers=4, num_attention_heads=4, max_position_embeddings=512,
                        word_embed_proj_dim=32, pad_token_id=0, bos_token_id=1, eos_token_id=2, do_layer_norm_before=True)  # fmt: skip


@family("blip-2")
def _() -> tuple[Any, Any]:
    zoo = Zoo("<image>")
    config = hf.Blip2Config(
        vision_config=VISION,
        qformer_config=_QFORMER,
        text_config=_opt(zoo),
        num_query_tokens=4,
        image_token_index=zoo["<image>"],
    )
    return hf.Blip2ForConditionalGeneration(config), hf.Blip2Processor(
        hf.BlipImageProcessor(size=PIXELS["size"]), zoo.tokenizer, num_query_tokens=4
    )


@family("blip-2-t5")
def _() -> tuple[Any, Any]:
    zoo = Zoo("<image>")
    text = hf.T5Config(vocab_size=len(zoo), d_model=32, d_kv=8, d_ff=64, num_layers=4, num_decoder_layers=4, num_heads=4, decoder_start_token_id=0,
                       eos_token_id=END)  # fmt: skip
    config = hf.Blip2Config(
        vision_config=VISION,
        qformer_config=_QFORMER,
        text_config=text,
        num_query_tokens=4,
        image_token_index=zoo["<image>"],
    )
    return hf.Blip2ForConditionalGeneration(config), hf.Blip2Processor(
        hf.BlipImageProcessor(size=PIXELS["size"]), zoo.tokenizer, num_query_tokens=4
    )


@family("instructblip")
def _() -> tuple[Any, Any]:
    zoo, asking = Zoo("<image>"), Zoo()
    qformer = _QFORMER | {"vocab_size": len(asking)}
    config = hf.InstructBlipConfig(
        vision_config=VISION,
        qformer_config=qformer,
        text_config=_opt(zoo),
        num_query_tokens=4,
        image_token_index=zoo["<image>"],
    )
    images = hf.BlipImageProcessor(size=PIXELS["size"])
    return hf.InstructBlipForConditionalGeneration(config), hf.InstructBlipProcessor(
        images, zoo.tokenizer, asking.tokenizer, num_query_tokens=4
    )


@family("mllama")
def _() -> tuple[Any, Any]:
    zoo = Zoo("<|image|>", "<|python_tag|>", wrap="<s> $A")
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_global_layers": 1, "attention_heads": 4, "image_size": SIDE,
              "patch_size": PATCH, "vision_output_dim": 64, "intermediate_layers_indices": [1], "max_num_tiles": 2,
              "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]]}  # fmt: skip
    text = zoo.text(cross_attention_layers=[1, 3], rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
    config = hf.MllamaConfig(vision_config=vision, text_config=text, image_token_index=zoo["<|image|>"])
    images = hf.MllamaImageProcessor(size={"height": SIDE, "width": SIDE}, max_image_tiles=2)
    return hf.MllamaForConditionalGeneration(config), hf.MllamaProcessor(
        images, zoo.tokenizer, chat_template=template("<|image|>")
    )


@family("kosmos-2")
def _() -> tuple[Any, Any]:
    zoo = Zoo()
    processor = hf.Kosmos2Processor(hf.CLIPImageProcessor(**PIXELS), zoo.tokenizer, num_patch_index_tokens=4)
    text = {"vocab_size": len(zoo), "embed_dim": 32, "layers": 4, "ffn_dim": 64, "attention_heads": 4, "pad_token_id": 0, "bos_token_id": 1,
            "eos_token_id": 2, "max_position_embeddings": 512}  # fmt: skip
    config = hf.Kosmos2Config(text_config=text, vision_config=VISION, latent_query_num=4)
    hf_model = hf.Kosmos2ForConditionalGeneration(config)
    processor.num_image_tokens = 4
    return hf_model, processor


@family("git")
def _() -> tuple[Any, Any]:
    zoo = Zoo(wrap="<s> $A </s>")  # as BERT's [CLS] … [SEP]
    config = hf.GitConfig(vision_config=VISION, vocab_size=len(zoo), hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=64,
                          max_position_embeddings=512, pad_token_id=0, bos_token_id=1, eos_token_id=2)  # fmt: skip
    return hf.GitForCausalLM(config), hf.GitProcessor(hf.CLIPImageProcessor(**PIXELS), zoo.tokenizer)


@family("fuyu")
def _() -> tuple[Any, Any]:
    zoo = Zoo(plain=("▁", "|SPEAKER|", "|NEWLINE|", "<0x04>", "<0x00>", "<0x01>"))
    core = (
        zoo.tokenizer.backend_tokenizer
    )  # SentencePiece writes a "▁" before everything, and the processor cuts it off
    core.normalizer = normalizers.Prepend("▁ ")
    core.decoder = decoders.Sequence([decoders.Replace("▁", ""), decoders.WordPiece(cleanup=False)])
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(r"\|[A-Z]+\||<[^>]+>"), "isolated")]
    )
    config = hf.FuyuConfig(text_config={"model_type": "persimmon", **zoo.text(num_key_value_heads=4)}, image_token_id=zoo["|SPEAKER|"],
                           **zoo.text(num_key_value_heads=4), image_size=SIDE, patch_size=PATCH, num_channels=3)  # fmt: skip
    images = hf.FuyuImageProcessor(size={"height": SIDE, "width": SIDE}, patch_size={"height": PATCH, "width": PATCH})
    return hf.FuyuForCausalLM(config), hf.FuyuProcessor(images, zoo.tokenizer)


@family("florence-2")
def _() -> tuple[Any, Any]:
    zoo = Zoo(named={"image_token": "<image>"})
    vision = {"embed_dim": [16, 32], "depths": [1, 1], "num_heads": [2, 2], "num_groups": [2, 2], "patch_size": [7, 3], "patch_stride": [4, 2],
              "patch_padding": [3, 1], "patch_prenorm": [False, True], "window_size": 4, "projection_dim": 32, "max_temporal_embeddings": 4,
              "max_position_embeddings": 8}  # fmt: skip
    text = hf.BartConfig(vocab_size=len(zoo), d_model=32, encoder_layers=2, decoder_layers=4, encoder_attention_heads=4, decoder_attention_heads=4,
                         encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=512, pad_token_id=0, bos_token_id=1, eos_token_id=2,
                         decoder_start_token_id=2, forced_eos_token_id=None)  # fmt: skip
    config = hf.Florence2Config(vision_config=vision, text_config=text, image_token_id=zoo["<image>"])
    images = hf.CLIPImageProcessor(**PIXELS)
    images.image_seq_length = 17
    return hf.Florence2ForConditionalGeneration(config), hf.Florence2Processor(images, zoo.tokenizer)


@family("ovis2")
def _() -> tuple[Any, Any]:
    zoo = Zoo("<image>", "<IMG_START>", "<IMG_ATOM>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>")
    indicators = [zoo[t] for t in ("<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>")]
    vision = VISION | {"hidden_stride": 2, "vocab_size": 64, "num_visual_indicator_tokens": 5}
    config = hf.Ovis2Config(vision_config=vision, text_config=hf.Qwen2Config(**zoo.text()), image_token_id=zoo["<IMG_ATOM>"],
                            visual_indicator_token_ids=indicators, vocab_size=len(zoo), hidden_size=32)  # fmt: skip
    images = hf.Ovis2ImageProcessor(size={"height": SIDE, "width": SIDE}, crop_to_patches=True, max_patches=2)
    return hf.Ovis2ForConditionalGeneration(config), hf.Ovis2Processor(
        images, zoo.tokenizer, image_seq_length=4, chat_template=template("<image>")
    )


@family("molmo2")
def _() -> tuple[Any, Any]:
    marks = (
        "<im_patch>",
        "<im_col>",
        "<im_start>",
        "<low_res_im_start>",
        "<frame_start>",
        "<im_end>",
        "<frame_end>",
        "<im_low>",
    )
    zoo = Zoo("<|image|>", "<|video|>", *marks)
    vision = VISION | {
        "num_key_value_heads": 4,
        "head_dim": 8,
        "image_size": [SIDE, SIDE],
        "num_position_embeddings": 16,
    }
    adapter = {"vision_feature_layer": [-1, -2], "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 8,
               "intermediate_size": 64, "text_hidden_size": 32}  # fmt: skip
    config = hf.Molmo2Config(vision_config=vision, adapter_config=adapter, text_config=zoo.text(additional_vocab_size=8),
                             image_start_token_id=zoo["<im_start>"],
                             low_res_image_start_token_id=zoo["<low_res_im_start>"], image_end_token_id=zoo["<im_end>"], image_patch_id=zoo["<im_patch>"],
                             frame_start_token_id=zoo["<frame_start>"], frame_end_token_id=zoo["<frame_end>"])  # fmt: skip
    images = hf.Molmo2ImageProcessor(
        size={"height": SIDE, "width": SIDE}, patch_size=PATCH, pooling_size=[2, 2], max_crops=2, overlap_margins=[1, 1]
    )
    video = hf.Molmo2VideoProcessor(size={"height": SIDE, "width": SIDE}, patch_size=PATCH)
    return hf.Molmo2ForConditionalGeneration(config), hf.Molmo2Processor(
        images, video, zoo.tokenizer, chat_template=template("<|image|>")
    )
