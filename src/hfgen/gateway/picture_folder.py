"""Pictures that several processes serve: files in a folder that is theirs alone (0700), deleted after the hour."""

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from hfgen.errors import ServerError
from hfgen.gateway.picture_store import HOUR, new_name
from hfgen.media import Media, sniff

_NAME: Final = re.compile(r"[0-9a-f]{32}\.[a-z]{3,4}")
_UNFINISHED: Final = "."  # in front of a name: nobody is given a file before it is whole


class _File(NamedTuple):
    path: Path
    size: int
    since: float


class PictureFolder:
    """Of all processes that have the folder; whoever made it deletes it.

    Args:
        folder: Nobody else may write into it.
        most: Bytes of all pictures together.
        lifetime: Seconds for which each is kept.
        clock: Unix time in seconds, as files have it.
    """

    def __init__(self, folder: Path, most: int, lifetime: float = HOUR, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._most = most
        self._lifetime = lifetime
        self._clock = clock

    async def put(self, media: Media) -> str:
        """Keep a picture.

        Raises:
            ServerError: It cannot be written.
        """
        return await asyncio.to_thread(self._written, media)

    async def get(self, name: str) -> Media | None:
        """The picture of this name."""
        return await asyncio.to_thread(self._read, name) if _NAME.fullmatch(name) else None

    def tidy(self) -> None:
        """Delete what is too old, and the oldest of what is too much; other processes may do the same meanwhile."""
        files = sorted(self._files(), key=lambda file: file.since)
        size = sum(file.size for file in files)
        old = self._clock() - self._lifetime
        for path, its_size, since in files:
            if size <= self._most and since > old:
                return
            path.unlink(missing_ok=True)
            size -= its_size

    def _written(self, media: Media) -> str:
        name = new_name(media)
        unfinished = self._folder / f"{_UNFINISHED}{name}"
        now = self._clock()
        try:
            with open(unfinished, "xb", opener=_for_its_owner) as file:
                file.write(media.data)
            os.utime(unfinished, (now, now))
            unfinished.rename(self._folder / name)
        except OSError as error:  # a full disk
            unfinished.unlink(missing_ok=True)
            raise ServerError(
                f"the gateway cannot keep the picture: {error.strerror}", hint="Ask for b64_json."
            ) from error
        self.tidy()
        return name

    def _read(self, name: str) -> Media | None:
        path = self._folder / name
        try:
            if path.stat().st_mtime <= self._clock() - self._lifetime:
                return None
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        return Media(data, sniff(data))

    def _files(self) -> Iterator[_File]:
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another process was faster
                told = path.stat()
                yield _File(path, told.st_size, told.st_mtime)


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
