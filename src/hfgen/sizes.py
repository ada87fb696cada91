"""Picture sizes in pixels: what was asked for, and what the model likes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from hfgen.errors import UsageError
from hfgen.facts import ModelFacts


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Wish:
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


@dataclass(frozen=True, slots=True)
class Native:
    """What a family of models was trained to paint.

    Attributes:
        pixels: About how many in all.
        step: Width and height are multiples of it.
        named: Sizes that its authors give for their ratios; the same ones upright hold too.
    """

    pixels: int = 1024 * 1024
    step: int = 32
    named: tuple[Size, ...] = ()


RATIOS: Final = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9")
"""Those that the documentation shows; any other `w:h` does as well."""

_WORDS: Final = {"square": "1:1", "landscape": "16:9", "portrait": "9:16"}
_MOST: Final = 8192
_WIDEST: Final = 16  # to one: beyond that no model paints anything
_NEAR: Final = 0.04  # by how much the ratio of a named size may miss the one that was asked

ANY: Final = Native()
"""FLUX, Stable Diffusion 3, Sana, Lumina, PixArt, and whoever does not say: a megapixel, in multiples that all take."""

# By the pipeline's class in diffusers, which the Hub's record names. Sources: the models' cards, diffusers' pipelines
# (`check_inputs`, default sizes), docs.z.ai for GLM-Image, SDXL's paper (appendix I: buckets in multiples of 64).
NATIVE: Final[Mapping[str, Native]] = {
    "StableDiffusionPipeline": Native(512 * 512, 8),
    "StableDiffusionXLPipeline": Native(1024 * 1024, 64),
    "QwenImagePipeline": Native(
        1328 * 1328, 16, (Size(1328, 1328), Size(1664, 928), Size(1472, 1104), Size(1584, 1056))
    ),
    "GlmImagePipeline": Native(
        1280 * 1280, 32, (Size(1280, 1280), Size(1728, 960), Size(1472, 1088), Size(1568, 1056))
    ),
    "HunyuanDiTPipeline": Native(1024 * 1024, 64, (Size(1024, 1024), Size(1280, 960), Size(1280, 768))),
    "HunyuanImagePipeline": Native(2048 * 2048, 64),
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
    named = [*native.named, *(Size(size.height, size.width) for size in native.named)]
    nearest = min(named, key=lambda size: _distance(size, ratio), default=None)
    if nearest is not None and _distance(nearest, ratio) <= _NEAR:
        return nearest
    width, height = math.sqrt(native.pixels * ratio), math.sqrt(native.pixels / ratio)
    return Size(_step(width, native.step), _step(height, native.step))


def _distance(size: Size, ratio: float) -> float:
    return abs(math.log(size.width / size.height / ratio))


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
