"""Picture sizes in pixels: what was asked for, and what the model likes."""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from hfgen.errors import UsageError
from hfgen.facts import ModelFacts


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


class Wish(msgspec.Struct, frozen=True):
    """What the call says of a picture's size, checked but not yet turned into one.

    Attributes:
        aspect_ratio: As `w:h`, or "".
        width: In pixels; wins over the ratio.
        height: In pixels; wins over the ratio.
    """

    aspect_ratio: str = ""
    width: int | None = None
    height: int | None = None

    def __bool__(self) -> bool:
        return bool(self.aspect_ratio or self.width or self.height)


class Native(msgspec.Struct, frozen=True):
    """What a family of models was trained to paint.

    Attributes:
        pixels: About how many in all.
        step: Width and height are multiples of it.
        named: Sizes that its authors give, by the ratio that they give them for; the same ones upright hold too.
    """

    pixels: int = 1024 * 1024
    step: int = 32
    named: Mapping[str, Size] = msgspec.field(default_factory=dict[str, Size])


RATIOS: Final = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9")
"""Those that the documentation shows; any other `w:h` does as well."""

_WORDS: Final = {"square": "1:1", "landscape": "16:9", "portrait": "9:16"}
_MOST: Final = 8192
_WIDEST: Final = 16  # to one: beyond that no model paints anything
_NEAR: Final = 0.04  # by how much, as a logarithm, a named ratio may miss the one that was asked

ANY: Final = Native()
"""FLUX, Stable Diffusion 3, Sana, Lumina, Z-Image, PixArt, and whoever does not say: a megapixel, in multiples of 32.

Each one's pipeline in diffusers asks for multiples of 8, 16 or, Sana's, 32; 1024x1024 is what it makes unasked.
"""

# By the pipeline's class in diffusers, which the Hub's record names. Multiples are what `check_inputs` there asks for,
# or what the authors trained on where that is more.
NATIVE: Final[Mapping[str, Native]] = {
    # Default of its pipeline: 64 latents of 8 pixels. Stable Diffusion 2.1 names the same class, and likes 768x768.
    "StableDiffusionPipeline": Native(512 * 512, 8),
    # SDXL's paper, 2.3 and appendix I: buckets in multiples of 64; those nearest to the ratios.
    "StableDiffusionXLPipeline": Native(
        1024 * 1024,
        64,
        {
            "1:1": Size(1024, 1024),
            "16:9": Size(1344, 768),
            "4:3": Size(1152, 896),
            "3:2": Size(1216, 832),
            "21:9": Size(1536, 640),
        },
    ),
    # The model's card, where its first versions had 1140 for 1104, which is no multiple of 16.
    "QwenImagePipeline": Native(
        1328 * 1328,
        16,
        {"1:1": Size(1328, 1328), "16:9": Size(1664, 928), "4:3": Size(1472, 1104), "3:2": Size(1584, 1056)},
    ),
    # docs.z.ai, generate-image: the sizes that it recommends.
    "GlmImagePipeline": Native(
        1280 * 1280,
        32,
        {"1:1": Size(1280, 1280), "16:9": Size(1728, 960), "4:3": Size(1472, 1088), "3:2": Size(1568, 1056)},
    ),
    # STANDARD_SHAPE of its pipeline, which cuts sides to multiples of 16.
    "HunyuanDiTPipeline": Native(
        1024 * 1024, 16, {"1:1": Size(1024, 1024), "16:9": Size(1280, 768), "4:3": Size(1152, 864)}
    ),
    # README of Tencent-Hunyuan/HunyuanImage-2.1, which says that it makes pictures of this size only.
    "HunyuanImagePipeline": Native(
        2048 * 2048, 64, {"1:1": Size(2048, 2048), "16:9": Size(2560, 1536), "4:3": Size(2304, 1792)}
    ),
}
# An adapter's record names no pipeline, but the model that it was trained on.
_PIPELINE_OF: Final[Mapping[str, str]] = {
    "CompVis/stable-diffusion-v1-4": "StableDiffusionPipeline",
    "runwayml/stable-diffusion-v1-5": "StableDiffusionPipeline",
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "StableDiffusionPipeline",
    "stabilityai/stable-diffusion-xl-base-1.0": "StableDiffusionXLPipeline",
    "Qwen/Qwen-Image": "QwenImagePipeline",
}


def wish_of(aspect_ratio: object, width: object, height: object) -> Wish:
    """What was asked, checked before any I/O.

    Raises:
        UsageError: A ratio or a size that means nothing.
    """
    if not isinstance(aspect_ratio, str | None):
        raise UsageError(f"aspect_ratio={aspect_ratio!r}: give a text such as '16:9'")
    text = (aspect_ratio or "").strip().lower()
    text = _WORDS.get(text, text)
    if aspect_ratio is not None:
        _ratio(text)
    return Wish(text, _side("width", width), _side("height", height))


def _side(name: str, value: object) -> int | None:
    if value is None or (isinstance(value, int) and 1 <= value <= _MOST):
        return value
    raise UsageError(f"{name}={value!r}: it must be a number of pixels between 1 and {_MOST}")


def native_of(facts: ModelFacts) -> Native:
    """What the model likes, by its record; a megapixel where that does not say."""
    pipeline = facts.pipeline or _PIPELINE_OF.get(facts.base_model, "")
    return NATIVE.get(pipeline, ANY)


def size_for(wish: Wish, native: Native = ANY) -> Size | None:
    """The size to ask for, or None when nothing was asked.

    Width and height win over the ratio; one alone derives the other from the ratio (square where there is none); a
    ratio alone gives the size that the model's authors name for it, else about its native number of pixels.
    """
    if wish.width and wish.height:
        return Size(wish.width, wish.height)
    if not wish:
        return None
    ratio = _ratio(wish.aspect_ratio or "1:1")
    if wish.width:
        return Size(wish.width, _step(wish.width / ratio, native.step))
    if wish.height:
        return Size(_step(wish.height * ratio, native.step), wish.height)
    width, height = math.sqrt(native.pixels * ratio), math.sqrt(native.pixels / ratio)
    return _named(ratio, native) or Size(_step(width, native.step), _step(height, native.step))


def _named(ratio: float, native: Native) -> Size | None:
    for text, size in native.named.items():
        if abs(math.log(_ratio(text) / ratio)) <= _NEAR:
            return size
        if abs(math.log(_ratio(text) * ratio)) <= _NEAR:
            return Size(size.height, size.width)
    return None


def _step(length: float, step: int) -> int:
    return min(_MOST, max(step, round(length / step) * step))


def _ratio(text: str) -> float:
    left, colon, right = text.partition(":")
    try:
        ratio = float(left) / float(right) if colon else 0.0
    except (ValueError, ZeroDivisionError):
        ratio = 0.0
    if not 1 / _WIDEST <= ratio <= _WIDEST:
        raise UsageError(f"aspect_ratio={text!r}: give width:height such as 16:9, or square, landscape, portrait")
    return ratio
