"""Pictures are kept for an hour, in bounds, under names that nobody can guess: in memory, or in a folder."""

import asyncio
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hfgen.errors import ServerError
from hfgen.gateway.picture_folder import PictureFolder
from hfgen.gateway.picture_store import PicturesInMemory, PictureStore
from hfgen.media import Media

pytestmark = pytest.mark.anyio
PICTURE = Media(b"\x89PNG\r\n\x1a\n" + b"1234", "image/png")
SIZE = len(PICTURE.data)


@dataclass
class Clock:
    now: float = 1e9

    def __call__(self) -> float:
        return self.now


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


Made = Callable[[int], PictureStore]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "folder"])
def made(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Made:
    if request.param == "memory":
        return lambda most: PicturesInMemory(most, clock=clock)
    return lambda most: PictureFolder(tmp_path, most, clock=clock)


async def test_a_name_is_random_and_ends_as_its_type_does(made: Made) -> None:
    store = made(100)
    one, other = await store.put(PICTURE), await store.put(PICTURE)
    assert one != other
    assert len(one) == len("0" * 32 + ".png")
    assert await store.get(one) == PICTURE


@pytest.mark.parametrize("name", ["../{}", "./{}", "", ".", "..", "%2e%2e/{}", "{}\0", "{}/", "." + "0" * 32 + ".png"])
async def test_no_other_spelling_of_a_name_leads_anywhere(name: str, made: Made) -> None:
    store = made(100)
    kept = await store.put(PICTURE)
    assert await store.get(name.format(kept)) is None


async def test_the_oldest_goes_when_there_is_no_room(made: Made, clock: Clock) -> None:
    store = made(2 * SIZE)
    names: list[str] = []
    for _ in range(3):
        clock.now += 1
        names.append(await store.put(PICTURE))
    assert [await store.get(name) is not None for name in names] == [False, True, True]


async def test_after_an_hour_it_is_gone(made: Made, clock: Clock) -> None:
    store = made(100)
    name = await store.put(PICTURE)
    clock.now += 3599
    assert await store.get(name)
    clock.now += 2
    assert await store.get(name) is None
    assert await store.get(await store.put(PICTURE))


async def test_what_is_larger_than_the_store_is_not_kept(made: Made) -> None:
    store = made(SIZE - 1)
    assert await store.get(await store.put(PICTURE)) is None


async def test_a_process_finds_what_another_kept_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    name = await PictureFolder(tmp_path, 100).put(PICTURE)
    assert await PictureFolder(tmp_path, 100).get(name) == PICTURE
    assert await asyncio.to_thread(modes, tmp_path) == {name: 0o600}


async def test_a_folder_is_tidied_though_nobody_asks_for_a_picture(tmp_path: Path, clock: Clock) -> None:
    store = PictureFolder(tmp_path, 100, clock=clock)
    await store.put(PICTURE)
    (tmp_path / ".unfinished").write_bytes(b"a worker died here")
    clock.now = (tmp_path / ".unfinished").stat().st_mtime + 3601
    await asyncio.to_thread(store.tidy)
    assert await asyncio.to_thread(modes, tmp_path) == {}


async def test_a_picture_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="cannot keep the picture"):
        await PictureFolder(tmp_path / "gone", 100).put(PICTURE)
