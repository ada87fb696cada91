"""What a picture's bytes show, what is refused, and where a picture may be saved."""

import base64
import random
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hfgen.errors import BadPicture, HfgenError, RateLimited, ServerError
from hfgen.events import ImageResponse
from hfgen.formats import dimensions, is_whole
from hfgen.media import Media, sniff
from hfgen.picture import LARGEST, picture, unpacked
from hfgen.saving import stem_of
from pictures import huge_png, picture_of, png, png_of

KINDS = {
    "png": picture_of("PNG"),
    "jpeg": picture_of("JPEG"),
    "progressive jpeg": picture_of("JPEG", progressive=True),
    "gif": picture_of("GIF"),
    "webp": picture_of("WEBP"),
    "lossless webp": picture_of("WEBP", lossless=True),
    "webp with metadata": picture_of("WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
    "bmp": picture_of("BMP"),
    "avif": picture_of("AVIF"),
}
every_kind = pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)


def image_of(data: bytes, prompt: str = "a red fox", seed: int | None = 7) -> ImageResponse:
    media, size = picture(data)
    return ImageResponse(media, prompt=prompt, seed=seed, width=size.width, height=size.height)


@every_kind
def test_the_head_tells_width_and_height(data: bytes) -> None:
    media, size = picture(data)

    assert size == (24, 16)
    assert media.extension != ".bin"


@every_kind
def test_a_picture_that_is_cut_is_refused(data: bytes) -> None:
    for length in (len(data) - 2, len(data) * 3 // 4, len(data) // 2, 20):
        with pytest.raises(HfgenError):
            picture(data[:length])


def test_a_picture_with_a_wrong_byte_is_refused_where_a_checksum_tells() -> None:
    data = bytearray(KINDS["png"])
    data[len(data) // 2] ^= 1

    with pytest.raises(BadPicture, match="damaged"):
        picture(bytes(data))


def test_the_end_of_a_thumbnail_is_not_the_end_of_its_picture() -> None:
    data = KINDS["jpeg"]
    thumbnail = b"\xff\xe1\x00\x06\xff\xd8\xff\xd9"
    with_thumbnail = data[:2] + thumbnail + data[2:]

    assert picture(with_thumbnail)[1] == (24, 16)
    with pytest.raises(BadPicture, match="cut"):
        picture(with_thumbnail[:-2])


def test_fifty_thousand_pixels_square_are_refused_by_the_head_alone() -> None:
    with pytest.raises(BadPicture, match="50000 x 50000 pixels"):
        picture(huge_png(50_000, 50_000))


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"", ServerError, "empty"),
        (b"<!doctype html><title>Sign in</title>", ServerError, "HTML"),
        (b'{"error": {"message": "slow down", "code": 429}}', RateLimited, "slow down"),
        (b"nonsense", ServerError, "not a picture"),
        (b"BM of nothing", BadPicture, "damaged"),
        (png_of((b"IEND", b"")), BadPicture, "damaged"),
        (png() + bytes(LARGEST), BadPicture, "32 MiB"),
    ],
)
def test_what_is_no_picture_is_said_to_be_none(data: bytes, error: type[HfgenError], said: str) -> None:
    with pytest.raises(error, match=said):
        picture(data)


MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF1234WEBP", b"\0\0\0\x20ftypavif")


@given(st.sampled_from(MAGIC), st.binary(max_size=300))
def test_no_bytes_whatever_are_more_than_refused(magic: bytes, rest: bytes) -> None:
    media = Media(magic + rest, sniff(magic + rest))

    dimensions(media)
    is_whole(media)


def test_base64_comes_bare_or_as_a_data_url() -> None:
    text = base64.b64encode(KINDS["webp"]).decode()

    assert unpacked(text) == unpacked(f"data:image/png;base64,{text}") == Media(KINDS["webp"], "image/webp")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A" * (LARGEST * 4 // 3 + 99), "32 MiB"),
        ("not base64!", "base64"),
        ("data:image/png,%89PNG", "not in base64"),
        (base64.b64encode(b"a text").decode(), "not a picture"),
    ],
    ids=["long", "broken", "percent", "text"],
)
def test_base64_of_no_picture_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadPicture, match=said):
        unpacked(text)


@pytest.mark.parametrize("length", [2**18 // 4 * 3 + more for more in (-1, 0, 1, 2, 3)] + [10**6])
def test_base64_of_any_length_is_decoded_in_slices_as_in_one_go(length: int) -> None:
    data = png() + random.Random(length).randbytes(length - len(png()))

    assert unpacked(base64.b64encode(data).decode()).data == data
    assert unpacked("data:image/png;base64," + base64.b64encode(data).decode()).data == data


@pytest.mark.parametrize("place", [4, 2**18 - 2, 2**18, 2**18 + 4])
@pytest.mark.parametrize("odd", ["=", "==", " ", "ä", "-", "\n"])
def test_base64_that_is_damaged_somewhere_is_refused(place: int, odd: str) -> None:
    text = base64.b64encode(png() + bytes(2**19)).decode()

    with pytest.raises(BadPicture, match="base64"):
        unpacked(text[:place] + odd + text[place + len(odd) :])


def test_a_saved_picture_is_named_by_prompt_seed_and_content(tmp_path: Path) -> None:
    path = image_of(png(), "A red fox, in SNOW!").save(tmp_path)

    assert path.parent == tmp_path
    assert path.name.startswith("a-red-fox-in-snow-7-")
    assert path.suffix == ".png"
    assert path.read_bytes() == png()


@pytest.mark.parametrize(
    ("prompt", "slug"),
    [
        ("Füchslein im Straßengraben", "fuchslein-im-strassengraben"),
        ("Un renard à Orléans, ½ nuit", "un-renard-a-orleans-1-2-nuit"),
        (
            "a very small red fox that sits in the deep snow of Siberia",
            "a-very-small-red-fox-that-sits-in-the-deep-snow",
        ),
        ("x" * 60, "x" * 48),
        ("日本", "picture"),
    ],
)
def test_a_name_has_the_prompts_letters_without_their_marks_and_ends_with_a_word(prompt: str, slug: str) -> None:
    assert stem_of(prompt, 7, b"x").rpartition("-7-")[0] == slug


@pytest.mark.parametrize("place", ["out.d", "my.pictures/2026.11", "v1.0", "foxes"])
def test_a_place_that_ends_like_no_picture_is_a_folder(place: str, tmp_path: Path) -> None:
    assert image_of(png()).save(tmp_path / place).parent == tmp_path / place


@pytest.mark.parametrize("place", ["fox.png", "FOX.PNG", "a/fox.jpeg", "fox.tiff"])
def test_a_place_that_ends_like_a_picture_is_that_file(place: str, tmp_path: Path) -> None:
    assert image_of(png()).save(tmp_path / place) == tmp_path / place


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    first, second = (image_of(png()).save(tmp_path) for _ in range(2))

    assert first != second
    with pytest.raises(FileExistsError):
        image_of(png(shade=1)).save(first)
    assert first.read_bytes() == png()
    assert sorted(tmp_path.iterdir()) == sorted([first, second])  # and no part of one is left behind


@pytest.mark.parametrize(
    "prompt", ["../../etc/passwd", "a\0b", "CON", "x" * 300, "/", "", "日本", "a\nb\r\u202e", ".hidden", "c:\\windows"]
)
def test_a_prompt_cannot_lead_out_of_the_folder(prompt: str, tmp_path: Path) -> None:
    path = image_of(png(), prompt).save(tmp_path / "out")

    assert path.parent == tmp_path / "out"
    assert set(path.stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(path.name) < 100
    assert not path.name.startswith((".", "-"))
    assert path.stem != "con"


def test_a_link_in_the_place_of_the_file_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "out.png"
    link.symlink_to(victim)

    with pytest.raises(FileExistsError):
        image_of(png()).save(link)
    assert not victim.exists()
    assert link.is_symlink()


def test_a_folder_that_is_a_link_is_where_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    path = image_of(png()).save(tmp_path / "link")

    assert path.parent == tmp_path / "real"
    assert not path.is_symlink()


def test_a_name_that_is_too_long_or_holds_a_nul_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        image_of(png()).save(tmp_path / ("x" * 300 + ".png"))
    with pytest.raises(ValueError, match="null"):
        image_of(png()).save(tmp_path / "a\0b.png")
    assert list(tmp_path.iterdir()) == []


@every_kind
def test_pillow_opens_it(data: bytes) -> None:
    assert image_of(data).pil().size == (24, 16)


def test_pillow_refuses_a_bomb_and_what_it_cannot_read() -> None:
    with pytest.raises(BadPicture, match="cannot be opened"):
        ImageResponse(Media(huge_png(12_000, 12_000), "image/png")).pil()
    with pytest.raises(BadPicture, match="cannot be opened"):
        ImageResponse(Media(b"nothing", "image/png")).pil()


def test_a_notebook_shows_it() -> None:
    shown = image_of(KINDS["jpeg"])

    assert image_of(png())._repr_png_() == png()
    assert shown._repr_png_() is None
    assert base64.b64decode(shown._repr_mimebundle_()["image/jpeg"]) == KINDS["jpeg"]


def test_it_prints_as_markdown() -> None:
    image = image_of(png(), "a [red]\nfox")

    assert str(image).startswith("![a (red) fox](data:image/png;base64,iVBOR")
    assert image.markdown(Path("out") / "a b.png") == "![a (red) fox](out/a%20b.png)"


def test_the_name_is_the_same_for_the_same_picture() -> None:
    assert stem_of("a", 1, b"x") == stem_of("a", 1, b"x") != stem_of("a", 1, b"y")
