"""Files that are new: nothing is ever overwritten, and no half of one is ever seen under its name.

Names are made of the prompt's plain letters, the seed and a hash of the content; a name that a server suggests is
never used. All of it blocks: in a coroutine call it with `asyncio.to_thread`.
"""

import hashlib
import os
import re
import secrets
import unicodedata
from itertools import count
from pathlib import Path
from typing import Final

_OTHER: Final = re.compile(r"[^a-z0-9]+")
_LONGEST_SLUG: Final = 48
_READ_AHEAD: Final = 1024  # characters of a prompt that a slug may come from
_ENDINGS: Final = frozenset(
    (".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".avif", ".heic", ".tif", ".tiff")
)
_NOT_FOLLOWED: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def stem_of(prompt: str, seed: int | None, data: bytes) -> str:
    """The name of a file without its ending: at most 48 of `[a-z0-9-]` from the prompt, the seed, a hash."""
    slug = _OTHER.sub("-", _plain(prompt[:_READ_AHEAD])).strip("-")
    if len(slug) > _LONGEST_SLUG:
        slug = slug[: _LONGEST_SLUG + 1].rpartition("-")[0] or slug[:_LONGEST_SLUG]
    parts = (slug or "picture", "" if seed is None else str(seed), hashlib.sha256(data).hexdigest()[:10])
    return "-".join(part for part in parts if part)


def _plain(text: str) -> str:
    """Small letters without their marks: `Füchslein` is `fuchslein`."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def names_a_file(place: str | os.PathLike[str]) -> bool:
    """Whether a place that need not be there yet ends as files of pictures do; any other is a folder."""
    return Path(place).suffix.lower() in _ENDINGS and not Path(place).expanduser().is_dir()


def save_in(folder: str | os.PathLike[str], stem: str, extension: str, data: bytes) -> Path:
    """Write a new file into a folder, which is made where there is none; `-2`, `-3` … follow a name that is taken.

    Raises:
        OSError: As the system says.
    """
    place = Path(folder).expanduser()
    place.mkdir(parents=True, exist_ok=True)
    place = place.resolve()
    for number in count(1):
        path = place / (f"{stem}{extension}" if number == 1 else f"{stem}-{number}{extension}")
        try:
            return _written(path, data)
        except FileExistsError:
            continue
    raise AssertionError  # one of the endless numbers is free


def save_as(file: str | os.PathLike[str], data: bytes) -> Path:
    """Write a new file of this very name.

    Raises:
        FileExistsError: There is something of that name, be it a link to nowhere.
        OSError: As the system says.
        ValueError: The name holds a NUL.
    """
    path = Path(file).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    return _written(path.parent.resolve() / path.name, data)


def replace_own(file: Path, data: bytes) -> None:
    """Put other bytes into a file of our own, in one step: a reader sees the old ones or the new ones.

    Raises:
        OSError: As the system says; the file is as it was.
    """
    hidden = file.with_name(f".{secrets.token_hex(8)}.part")
    try:
        _write_new(hidden, data)
        hidden.replace(file)
    finally:
        hidden.unlink(missing_ok=True)


def _written(path: Path, data: bytes) -> Path:
    """By way of another name in the same folder, linked to its own name once all of it is on the disk."""
    hidden = path.with_name(f".{secrets.token_hex(8)}.part")
    _write_new(hidden, data)
    try:
        os.link(hidden, path)  # unlike a rename it never replaces anything
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        _write_new(path, data)
    finally:
        hidden.unlink(missing_ok=True)
    return path


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOT_FOLLOWED, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
