"""Write a Stable Diffusion of 1.3 million random weights, for the machinery around a picture: it paints noise only.

`/opt/hfit/bin/python scripts/toolkit/model.py FOLDER`. Needs torch, transformers and diffusers, no network. The
same seed makes the same weights, so that recordings can be made again.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.models.clip.tokenization_clip import bytes_to_unicode

LONGEST_PROMPT = 77  # tokens, as in every Stable Diffusion
WIDTH = 32  # of the text encoder, and of what the painter reads of it
PIXELS = 64  # where the call names no size
SHRINKS = 4  # stages of the autoencoder: three of them halve, so that sizes are multiples of 8


def tokenizer(folder: Path) -> CLIPTokenizer:
    """One token a byte, another where it ends a word; nothing is merged."""
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}), "utf-8")
    merges.write_text("#version: 0.2\n", "utf-8")
    return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=LONGEST_PROMPT)


def reader(words: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=LONGEST_PROMPT,
            projection_dim=WIDTH,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.eos_token_id,
        )
    )


def painter() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=PIXELS // 8,
        layers_per_block=1,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=8,
        norm_num_groups=8,
    )


def autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * SHRINKS,
        up_block_types=("UpDecoderBlock2D",) * SHRINKS,
        block_out_channels=(16, 16, 32, 32),
        norm_num_groups=8,
        sample_size=PIXELS,
    )


def main(folder: Path) -> None:
    torch.manual_seed(0)
    words_folder = folder / "tokenizer"
    words_folder.mkdir(parents=True, exist_ok=True)
    words = tokenizer(words_folder)
    StableDiffusionPipeline(
        vae=autoencoder(),
        text_encoder=reader(words),
        tokenizer=words,
        unet=painter(),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
