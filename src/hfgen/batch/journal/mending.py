"""An output as it was left: what of it is whole, and how the rest is set aside.

A process that was killed leaves at most one line that is not whole, the last. A power cut may leave more: lines of NULs
or garbage, since a file can have its length before its content. Whatever is taken out of an output goes to
`OUT.damaged`, so that nothing a person paid for is gone without a trace.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import msgspec

from hfgen.batch.journal.durable import SAFELY, beside, sync_folder
from hfgen.batch.journal.index import Index, Recorded

_BLOCK: Final = 2**20
_OK: Final = 200
DAMAGED: Final = ".damaged"


class _Status(msgspec.Struct):
    status_code: int


class _Account(msgspec.Struct):
    digest: str


class _Line(msgspec.Struct):
    """As much of a `Result` as resuming has to know; the rest of the line is checked to be JSON and not kept."""

    custom_id: str
    response: _Status | None
    hfgen: _Account

    @property
    def answered(self) -> bool:
        return self.response is not None and self.response.status_code == _OK


_decoder: Final = msgspec.json.Decoder(_Line)


@dataclass(slots=True)
class Found:
    """What an output holds.

    Attributes:
        answered: Rows with an answer.
        failed: Rows with an error.
        torn: Bytes of a last line that was not whole, set aside.
        broken: Lines elsewhere that were not whole, set aside.
        outdated: Lines whose row has a later one, dropped.
        to_retry: Lines with an error, dropped since their rows are to be asked again.
    """

    answered: int = 0
    failed: int = 0
    torn: int = 0
    broken: int = 0
    outdated: int = 0
    to_retry: int = 0

    def count(self, answered: bool) -> None:
        """One row more."""
        if answered:
            self.answered += 1
        else:
            self.failed += 1

    def notices(self, out: Path) -> Iterator[str]:
        """What a person should be told, in sentences."""
        aside = f"set aside in {beside(out, DAMAGED)}"
        if self.torn:
            yield f"The last line of {out} was not whole: its {self.torn} bytes are {aside}."
        if self.broken:
            yield f"{_lines(self.broken)} of {out} {'was' if self.broken == 1 else 'were'} not whole: {aside}."
        if self.outdated:
            yield f"{_lines(self.outdated)} of {out} had a later one for the same row, and went."


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"


def mend(out: Path, index: Index, *, retry_failed: bool = False) -> Found:
    """Make every line of an output whole and every row in it the only one of its name; fill the index with them.

    The output is rewritten only where a line within it has to go: into another file, which then takes its place.

    Raises:
        OSError: As the system says; no whole line is lost.
        OutputFailed: The index has no room.
    """
    found = Found(torn=_mend_tail(out))
    reading = _Reading(found, retry_failed=retry_failed)
    with out.open("rb", buffering=_BLOCK) as file:
        index.record(reading.lines(file))
    found.outdated = reading.recorded - index.recorded()
    if found.outdated or found.broken or found.to_retry:
        counted = rewrite(out, index)
        found.answered, found.failed = counted.answered, counted.failed
    return found


def begins_as_output(out: Path) -> bool:
    """Whether the first line is one of ours.

    Raises:
        OSError: As the system says.
    """
    with out.open("rb", buffering=_BLOCK) as file:
        return _decoded(file.readline()) is not None


class _Reading:
    """One pass through an output."""

    def __init__(self, found: Found, *, retry_failed: bool) -> None:
        self._found = found
        self._retry_failed = retry_failed
        self.recorded = 0

    def lines(self, file: BinaryIO) -> Iterator[Recorded]:
        place = 0
        for raw in file:
            line = _decoded(raw)
            if line is None:
                self._found.broken += 1
            elif self._retry_failed and not line.answered:
                self._found.to_retry += 1
            else:
                self.recorded += 1
                self._found.count(line.answered)
                yield line.custom_id.encode(), line.hfgen.digest, line.answered, place
            place += len(raw)


def _decoded(raw: bytes) -> _Line | None:
    """The line, None where it is not whole."""
    try:
        if not raw.isascii():
            raw.decode()  # what the decoder skips it does not look into
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _mend_tail(out: Path) -> int:
    """End the file with a whole line; how many bytes were set aside for that."""
    with out.open("r+b", buffering=0) as file:
        tail = _after_last_newline(file)
        if not tail:
            return 0
        end = file.seek(0, os.SEEK_END)
        if _decoded(tail) is not None:  # all of a row but the newline
            file.write(b"\n")
            tail = b""
        else:
            with _Aside(out) as aside:
                aside.add(tail)
            file.truncate(end - len(tail))
        os.fsync(file.fileno())
        return len(tail)


def _after_last_newline(file: BinaryIO) -> bytes:
    tail = b""
    place = file.seek(0, os.SEEK_END)
    while place and b"\n" not in tail:
        begin = max(0, place - _BLOCK)
        file.seek(begin)
        tail = file.read(place - begin) + tail
        place = begin
    return tail.rpartition(b"\n")[2]


class _Aside:
    """Where lines go that are taken out; the file is made with the first of them."""

    def __init__(self, out: Path) -> None:
        self._path = beside(out, DAMAGED)
        self._file: BinaryIO | None = None

    def add(self, line: bytes) -> None:
        if self._file is None:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | SAFELY, 0o600)
            self._file = os.fdopen(descriptor, "ab")
        self._file.write(line.strip(b"\0\n") + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Only what lies there for good may be taken out of the output."""
        if self._file is not None:
            with self._file:
                self._file.flush()
                os.fsync(self._file.fileno())
            sync_folder(self._path.parent)


def rewrite(out: Path, index: Index) -> Found:
    """Keep the lines that count by the index, in their order, and tell the index their new places.

    Returns:
        How many rows are kept, with an answer and with an error.

    Raises:
        OSError: As the system says; the output is as it was.
        OutputFailed: The index has no room.
    """
    kept = Found()
    passing = beside(out, ".new")
    try:
        passing.unlink(missing_ok=True)
        with out.open("rb", buffering=_BLOCK) as old, _Aside(out) as aside:
            descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFELY, 0o600)
            with os.fdopen(descriptor, "wb", buffering=_BLOCK) as new:
                passing.chmod(stat.S_IMODE(os.fstat(old.fileno()).st_mode))
                _copy(old, new, aside, index, kept)
                new.flush()
                os.fsync(new.fileno())
        passing.replace(out)
    except BaseException:
        passing.unlink(missing_ok=True)
        raise
    sync_folder(out.parent)
    return kept


def _copy(old: BinaryIO, new: BinaryIO, aside: _Aside, index: Index, kept: Found) -> None:
    place = end = 0
    for raw in old:
        line = _decoded(raw)
        if line is None:
            aside.add(raw)
        elif index.move(line.custom_id.encode(), place, end):
            new.write(raw)
            end += len(raw)
            kept.count(line.answered)
        place += len(raw)
