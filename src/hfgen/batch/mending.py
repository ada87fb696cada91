"""An output as it was left: what of it is whole, and how the rest is set aside.

A process that was killed leaves at most one line that is not whole, the last. A power cut may leave more: lines of NULs
or garbage, since a file can have its length before its content. Whatever is taken out of an output goes to
`OUT.damaged`, so that nothing a person paid for is gone without a trace.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from hfgen.batch.durable import CLOSED_TO_CHILDREN, beside, sync_folder
from hfgen.batch.index import Index, Recorded

_BLOCK: Final = 2**20
_OK: Final = 200


class _Status(msgspec.Struct):
    status_code: int


class _Account(msgspec.Struct):
    digest: str


class _Line(msgspec.Struct):
    """As much of a `Result` as resuming has to know; the rest of the line is checked to be JSON and not kept."""

    custom_id: str
    response: _Status | None
    hfgen: _Account


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
    found.outdated = reading.recorded - len(index)
    if found.outdated or found.broken or found.to_retry:
        counted = _rewrite(out, index)
        found.answered, found.failed = counted.answered, counted.failed
    return found


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
            elif self._retry_failed and not _answered(line):
                self._found.to_retry += 1
            else:
                self._count(line)
                yield line.custom_id.encode(), line.hfgen.digest, place
            place += len(raw)

    def _count(self, line: _Line) -> None:
        self.recorded += 1
        if _answered(line):
            self._found.answered += 1
        else:
            self._found.failed += 1


def _answered(line: _Line) -> bool:
    return line.response is not None and line.response.status_code == _OK


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
            _set_aside(out, tail)
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


def _set_aside(out: Path, *lines: bytes) -> None:
    damaged = beside(out, ".damaged")
    descriptor = os.open(damaged, os.O_WRONLY | os.O_CREAT | os.O_APPEND | CLOSED_TO_CHILDREN, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        for line in lines:
            file.write(line.strip(b"\0\n") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _rewrite(out: Path, index: Index) -> Found:
    """Keep the lines that the index holds, in their order."""
    kept = Found()
    passing = beside(out, ".new")
    passing.unlink(missing_ok=True)
    try:
        with out.open("rb", buffering=_BLOCK) as old:
            like = os.fstat(old.fileno()).st_mode & 0o7777
            descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | CLOSED_TO_CHILDREN, like)
            with os.fdopen(descriptor, "wb", buffering=_BLOCK) as new:
                passing.chmod(like)
                _copy(out, old, new, index, kept)
                new.flush()
                os.fsync(new.fileno())
        passing.replace(out)
    except BaseException:
        passing.unlink(missing_ok=True)
        raise
    sync_folder(out.parent)
    return kept


def _copy(out: Path, old: BinaryIO, new: BinaryIO, index: Index, kept: Found) -> None:
    place = 0
    for raw in old:
        line = _decoded(raw)
        if line is None:
            _set_aside(out, raw)
        elif index.holds(line.custom_id.encode(), place):
            new.write(raw)
            if _answered(line):
                kept.answered += 1
            else:
                kept.failed += 1
        place += len(raw)
