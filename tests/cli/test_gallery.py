"""What becomes of a call's events: each picture is on the disk before anything is said of it."""

import json
from pathlib import Path

import pytest

from hfgen.cli.gallery import Gallery, JsonPictures, PrintedPaths, opened
from hfgen.cli.keeping import Keeper, NotKept
from hfgen.cli.waiting import Lines
from hfgen.errors import RateLimited, ServerError
from hfgen.events import Event, FinishReason, ImageResponse, Progress
from hfgen.media import Media
from pictures import picture_of, png

END = FinishReason("stop", model="flux", server="there", attempts=3)


def picture(shade: int = 0, source_url: str = "") -> ImageResponse:
    return ImageResponse(Media(png(64, 48, shade), "image/png"), prompt="a fox", seed=shade, source_url=source_url)


def paths(folder: Path) -> PrintedPaths:
    return PrintedPaths(Keeper(folder, {}), Lines(), "none")


async def show(gallery: Gallery, *events: Event) -> None:
    with gallery:
        for event in events:
            await gallery.show(event)


def sidecars(folder: Path) -> list[dict[str, object]]:
    return [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]


def everything(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def files(folder: Path) -> list[str]:
    return sorted(str(file) for file in folder.glob("*.png"))


async def test_each_of_several_pictures_has_its_path_on_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await show(paths(tmp_path), picture(1), picture(2), picture(3), picture(4), END)
    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == files(tmp_path)
    assert [said["seed"] for said in sidecars(tmp_path)] == [1, 2, 3, 4]
    assert "4 pictures" in err
    assert "3 requests" in err


async def test_pictures_that_were_withheld_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await show(paths(tmp_path), picture(1), FinishReason("content_filter"))
    assert "the content filter withheld some" in capsys.readouterr().err


async def test_what_came_before_an_error_stays_and_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gallery = paths(tmp_path)
    with pytest.raises(RateLimited), gallery:
        await gallery.show(picture(1))
        raise RateLimited("enough")
    out, err = capsys.readouterr()
    assert out.splitlines() == files(tmp_path)
    assert len(sidecars(tmp_path)) == 1
    assert "1 picture came before that and is kept" in err


async def test_the_sidecar_counts_the_requests_at_the_end(tmp_path: Path) -> None:
    gallery = paths(tmp_path)
    await show(gallery, picture(1))
    assert [said["attempts"] for said in sidecars(tmp_path)] == [None]
    await show(gallery, END)
    assert [said["attempts"] for said in sidecars(tmp_path)] == [3]


async def test_an_address_is_kept_without_its_signature_and_user(tmp_path: Path) -> None:
    url = "https://me:secret-word@cdn.example/a/fox.png?X-Amz-Signature=abc#top"
    await show(paths(tmp_path), picture(1, source_url=url), picture(2, source_url="data:image/png;base64,AAAA"), END)
    assert [said["source_url"] for said in sidecars(tmp_path)] == ["https://cdn.example/a/fox.png", ""]
    written = everything(tmp_path)
    assert b"X-Amz" not in written
    assert b"secret-word" not in written


async def test_an_end_without_a_picture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="ended without a picture"):
        await show(paths(tmp_path), END)


async def test_plain_lines_say_why_one_waits_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queue = [Progress("queued", position=place) for place in (3, 2, 1)]
    waits = Progress("waiting", "429 Too Many Requests")
    await show(paths(tmp_path), Progress("starting"), waits, *queue, Progress("running", fraction=0.5), picture(), END)
    err = capsys.readouterr().err.splitlines()
    assert err[:2] == ["waiting: 429 Too Many Requests", "queued, position 3"]
    assert err[2].startswith("picture: image/png")


async def test_progress_is_for_programs_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await show(JsonPictures(Keeper(tmp_path, {}), with_data=False), Progress("queued", position=3), picture(), END)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == ["progress", "image", "finish"]
    assert lines[0]["position"] == 3


def test_what_stands_in_the_way_of_a_sidecar_is_not_overwritten(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, {})
    kept = keeper.keep(picture(1))
    beside = kept.sidecar or kept.file
    kept.file.unlink()
    beside.write_text("mine")
    keeper.keep(picture(1))
    assert beside.read_text() == "mine"
    assert len(list(tmp_path.glob("*.json"))) == 2


async def test_a_folder_that_goes_away_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(NotKept, match=r"fox-.*\.png could not be written"):
        await show(paths(tmp_path / "out"), picture(1))


def test_a_picture_is_opened_by_the_systems_viewer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keeper = Keeper(tmp_path, {})
    keeper.keep(picture(1))
    keeper.keep(ImageResponse(Media(picture_of("JPEG"), "image/jpeg"), prompt="a fox"))
    seen: list[str] = []

    def launch(place: str) -> int:
        seen.append(place)
        return 0

    opened(keeper, launch)
    assert [Path(place).suffix for place in seen] == [".png", ".jpg"]
    opened(keeper, lambda _: 1)
    assert capsys.readouterr().err.count("no viewer") == 1
