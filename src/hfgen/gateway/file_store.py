"""Files that callers send for their batches, and those that come of them: on disk, each its caller's own.

A file is a folder `files/<id>` with `content` and `file.json`; what is incomplete has no `file.json`, and is nobody's.
"""

import re
import secrets
import shutil
import time
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias

import msgspec

from hfgen.batch.journal.durable import replace
from hfgen.openai_api.refusal import Refusal

Purpose: TypeAlias = Literal["batch", "batch_output"]

_ID: Final = re.compile(r"file-[0-9a-f]{24}")
_LONGEST_NAME: Final = 200
_MOST: Final = 1000  # of a caller, so that no one fills the disk by a loop


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as OpenAI's server describes it (openai-python types/file_object.py), and whose it is."""

    id: str
    bytes: int
    created_at: int
    filename: str
    purpose: Purpose
    status: Literal["processed"] = "processed"
    owner: str = ""

    def said(self) -> dict[str, object]:
        """What its caller is told."""
        told: dict[str, object] = {"object": "file", **msgspec.to_builtins(self)}
        del told["owner"]
        return told


class FileStore:
    """The files of a gateway. Its methods block for moments; large contents are read and written elsewhere.

    Args:
        folder: Of its own; made where there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "files"

    def take(self, file: BinaryIO, filename: str, owner: str) -> StoredFile:
        """Keep what a caller sends.

        Raises:
            Refusal: The caller has too many files.
        """
        if len(self.of(owner)) >= _MOST:
            raise Refusal(400, f"there are {_MOST} files already; delete some", code="too_many_files")
        file_id, place = self._new()
        try:
            with (place / "content").open("wb") as kept:
                shutil.copyfileobj(file, kept)
            return self.keep(file_id, filename, "batch", owner)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise

    def get(self, file_id: str, owner: str) -> StoredFile:
        """The file of this name.

        Raises:
            Refusal: There is none, or it is another caller's.
        """
        found = self._read(self._folder / file_id) if _ID.fullmatch(file_id) else None
        if found is None or found.owner != owner:
            raise Refusal(404, f"no such file: {file_id[:100]}", param="file_id", code="no_such_file")
        return found

    def content(self, file: StoredFile) -> Path:
        """Where its bytes are."""
        return self._folder / file.id / "content"

    def of(self, owner: str) -> list[StoredFile]:
        """All files of a caller, the latest first."""
        found = [file for file in self.all() if file.owner == owner]
        return sorted(found, key=lambda file: (file.created_at, file.id), reverse=True)

    def all(self) -> list[StoredFile]:
        """All files of all callers."""
        folders = self._folder.iterdir() if self._folder.is_dir() else ()
        return [file for folder in folders if (file := self._read(folder))]

    def delete(self, file: StoredFile) -> None:
        """Forget it."""
        self.drop(file.id)

    def drop(self, file_id: str) -> None:
        """Leave nothing of it."""
        shutil.rmtree(self._folder / file_id, ignore_errors=True)

    def new(self) -> tuple[str, Path]:
        """A name, and the file to be written; it is nobody's before it is kept."""
        file_id, place = self._new()
        return file_id, place / "content"

    def _new(self) -> tuple[str, Path]:
        file_id = f"file-{secrets.token_hex(12)}"
        place = self._folder / file_id
        place.mkdir(parents=True, mode=0o700)
        return file_id, place

    def keep(self, file_id: str, filename: str, purpose: Purpose, owner: str) -> StoredFile:
        """From now on the file is its owner's."""
        place = self._folder / file_id
        kept = StoredFile(
            id=file_id,
            bytes=(place / "content").stat().st_size,
            created_at=int(time.time()),
            filename=_plain(filename),
            purpose=purpose,
            owner=owner,
        )
        replace(place / "file.json", msgspec.json.encode(kept))
        return kept

    @staticmethod
    def _read(place: Path) -> StoredFile | None:
        try:
            return msgspec.json.decode((place / "file.json").read_bytes(), type=StoredFile)
        except (OSError, msgspec.DecodeError):
            return None


def _plain(filename: str) -> str:
    """A name to be shown; no path of ours is made of it."""
    return re.sub(r"[^\w. -]", "_", filename.rpartition("/")[2].rpartition("\\")[2])[:_LONGEST_NAME] or "file"
