"""Picture sizes out of an aspect ratio, in pixels."""

import math
from typing import Final, NamedTuple

from hfgen.errors import UsageError


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


_WORDS: Final = {"square": "1:1", "landscape": "16:9", "portrait": "9:16"}
_PIXELS: Final = 1024 * 1024  # what FLUX, SDXL and SD3 were trained at
_STEP: Final = 32  # a multiple that every latent model in use accepts
_MOST: Final = 8192


def size_of(aspect_ratio: str | None, width: int | None, height: int | None, pixels: int = _PIXELS) -> Size | None:
    """The size asked for, or None when nothing was asked.

    Width and height win over the ratio; one alone derives the other from the ratio (square where there is none); a
    ratio alone gives about `pixels` in all, in multiples of 32.

    Raises:
        UsageError: A ratio or a size that means nothing.
    """
    for name, value in (("width", width), ("height", height)):
        if value is not None and not 1 <= value <= _MOST:
            raise UsageError(f"{name}={value!r}: it must lie between 1 and {_MOST} pixels")
    if width is not None and height is not None:
        return Size(width, height)
    if width is None and height is None and aspect_ratio is None:
        return None
    ratio = _ratio(aspect_ratio or "1:1")
    if width is not None:
        return Size(width, _step(width / ratio))
    if height is not None:
        return Size(_step(height * ratio), height)
    return Size(_step(math.sqrt(pixels * ratio)), _step(math.sqrt(pixels / ratio)))


def _step(length: float) -> int:
    return min(_MOST, max(_STEP, round(length / _STEP) * _STEP))


def _ratio(text: str) -> float:
    left, colon, right = _WORDS.get(text.strip().lower(), text).partition(":")
    try:
        ratio = float(left) / float(right) if colon else 0.0
    except (ValueError, ZeroDivisionError):
        ratio = 0.0
    if not 1 / 16 <= ratio <= 16:  # noqa: PLR2004 - beyond that no model paints anything
        raise UsageError(f"aspect_ratio={text!r}: give width:height such as 16:9, or square, landscape, portrait")
    return ratio
