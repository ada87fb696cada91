"""The file that a picture is kept in: its name, and writing it so that nothing is ever overwritten."""

import errno
import hashlib
import os
import re
import secrets
import unicodedata
from pathlib import Path
from typing import Final

_LONGEST_SLUG: Final = 48
# What file systems without hard links answer (FAT, some network shares).
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})


def stem_of(prompt: str, seed: int | None, data: bytes) -> str:
    """`slug-seed-hash8`: words of the prompt, the seed where it is known, and the start of the SHA-256 of the bytes.

    The slug is of a to z, digits and hyphens only, so that no prompt leads out of its folder, hides a file or names a
    device.
    """
    digest = hashlib.sha256(data).hexdigest()[:8]
    return "-".join(part for part in (_slug(prompt), "" if seed is None else str(seed), digest) if part)


def write_new(file: Path, data: bytes) -> None:
    """Write a file that must not exist yet; under its name it is whole, or it is not there.

    Raises:
        FileExistsError: Something has that name already, be it a dangling link.
        OSError: It cannot be written.
    """
    draft = _draft(file, data)
    try:
        try:
            os.link(draft, file, follow_symlinks=False)
        except OSError as error:
            if isinstance(error, FileExistsError) or error.errno not in _NO_LINKS:
                raise
            if os.path.lexists(file):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(file)) from None
            draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


def rewrite(file: Path, data: bytes) -> None:
    """Put other bytes in the place of a file of ours, in one step.

    Raises:
        OSError: It cannot be written; the file is as it was.
    """
    draft = _draft(file, data)
    try:
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _draft(file: Path, data: bytes) -> Path:
    """The bytes on the disk beside the file that they are to be."""
    draft = file.with_name(f".{secrets.token_hex(8)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(draft, flags, 0o666), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _slug(prompt: str) -> str:
    plain = unicodedata.normalize("NFKD", prompt[: 8 * _LONGEST_SLUG]).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(slug) > _LONGEST_SLUG:
        slug = slug[: _LONGEST_SLUG + 1].rpartition("-")[0] or slug[:_LONGEST_SLUG]
    return slug or "picture"
