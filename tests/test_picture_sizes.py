"""What becomes of an aspect ratio, a width or a height."""

import math
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hfgen.errors import UsageError
from hfgen.facts import ModelFacts
from hfgen.sizes import ANY, NATIVE, RATIOS, Native, Size, Wish, native_of, size_for, wish_of

DOCS = Path(__file__).parents[1] / "docs" / "images.md"
FAMILIES = {**NATIVE, "any other": ANY}


def row(name: str, native: Native) -> str:
    sizes = (size_for(Wish(ratio), native) for ratio in RATIOS)
    shown = [f"{size.width}x{size.height}" for size in sizes if size]
    return f"| {f'`{name}`' if name in NATIVE else name} | {' | '.join(shown)} | {native.step} |"


def test_the_documented_sizes_are_those_that_are_asked_for() -> None:
    page = DOCS.read_text(encoding="utf-8")
    table = [line for line in page.splitlines() if line.startswith(("| `", "| any other")) and "x" in line]
    assert [line for line in table if line.count("|") == len(RATIOS) + 3] == [
        row(name, native) for name, native in FAMILIES.items()
    ]
    assert f"| family | {' | '.join(RATIOS)} | multiples of |" in page


@pytest.mark.parametrize("name", FAMILIES)
@given(
    left=st.integers(1, 64) | st.floats(0.5, 64, allow_nan=False),
    right=st.integers(1, 64) | st.floats(0.5, 64, allow_nan=False),
)
def test_any_ratio_gives_a_size_that_the_family_takes(name: str, left: float, right: float) -> None:
    native = FAMILIES[name]
    if not 1 / 16 <= left / right <= 16:
        with pytest.raises(UsageError, match="aspect_ratio"):
            wish_of(f"{left}:{right}", None, None)
        return
    size = size_for(wish_of(f"{left}:{right}", None, None), native)
    assert size is not None
    assert size.width % native.step == size.height % native.step == 0
    assert 0.7 < size.width * size.height / native.pixels < 1.4
    assert abs(math.log(size.width / size.height * right / left)) < 0.25


@pytest.mark.parametrize(
    ("word", "ratio"),
    [("square", "1:1"), (" Landscape ", "16:9"), ("portrait", "9:16"), ("1.85:1", "1.85:1"), ("21:9", "21:9")],
)
def test_a_ratio_is_a_word_or_two_numbers(word: str, ratio: str) -> None:
    assert wish_of(word, None, None).aspect_ratio == ratio


@pytest.mark.parametrize(
    "ratio", ["", "wide", "16", "16:0", "0:9", "-16:9", "nan:1", "1:17", "17:1", "inf:inf", 1.5, b"1:1"]
)
def test_a_ratio_that_means_nothing_is_refused_at_once(ratio: object) -> None:
    with pytest.raises(UsageError, match="aspect_ratio="):
        wish_of(ratio, None, None)


@pytest.mark.parametrize("side", [0, -1, 8193, 10**9, "512", 512.0])
def test_a_side_that_means_nothing_is_refused_at_once(side: object) -> None:
    with pytest.raises(UsageError, match="width="):
        wish_of(None, side, None)
    with pytest.raises(UsageError, match="height="):
        wish_of("1:1", None, side)


def test_width_and_height_win_and_one_alone_derives_the_other() -> None:
    assert size_for(wish_of("1:1", 600, 333)) == Size(600, 333)
    assert size_for(wish_of("16:9", 640, None)) == Size(640, 352)
    assert size_for(wish_of("16:9", None, 576)) == Size(1024, 576)
    assert size_for(wish_of(None, 700, None)) == Size(700, 704)
    assert size_for(wish_of(None, None, None)) is None


@pytest.mark.parametrize(
    ("family", "ratio", "size"),
    [
        ("HunyuanDiTPipeline", "16:9", Size(1280, 768)),
        ("HunyuanImagePipeline", "9:16", Size(1536, 2560)),
        ("StableDiffusionXLPipeline", "3:2", Size(1216, 832)),
        ("QwenImagePipeline", "7:4", Size(1664, 928)),
        ("QwenImagePipeline", "16:10", Size(1680, 1056)),
    ],
)
def test_the_size_that_the_authors_give_for_a_ratio_wins(family: str, ratio: str, size: Size) -> None:
    assert size_for(Wish(ratio), NATIVE[family]) == size


@pytest.mark.parametrize(
    ("record", "family"),
    [
        ({"config": {"diffusers": {"_class_name": "StableDiffusionPipeline"}}}, "StableDiffusionPipeline"),
        ({"tags": ["diffusers", "diffusers:QwenImagePipeline"]}, "QwenImagePipeline"),
        ({"tags": ["lora", "base_model:Qwen/Qwen-Image", "base_model:adapter:Qwen/Qwen-Image"]}, "QwenImagePipeline"),
        ({"tags": ["base_model:adapter:black-forest-labs/FLUX.1-dev"]}, ""),
        ({"config": {"diffusers": {"_class_name": "FluxPipeline"}}}, ""),
        ({"id": "someone/stable-diffusion-v1-5"}, ""),
        ({"tags": [5, None], "config": {"diffusers": "x"}}, ""),
        ({"tags": "diffusers:QwenImagePipeline"}, ""),
    ],
)
def test_the_family_is_what_the_record_says_and_never_what_the_name_does(
    record: dict[str, object], family: str
) -> None:
    assert native_of(ModelFacts.from_hub(record)) == NATIVE.get(family, ANY)
