"""The results in an output file, found by their rows; the file may be that of a batch that is still running.

Of two lines for one row the later counts: the earlier is that of a row without a name, which was mended since.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from hfgen.batch.journal.spill import Numbers
from hfgen.batch.result import Result
from hfgen.errors import OutputFailed, UsageError
from hfgen.wire_json import MALFORMED


class _Account(msgspec.Struct):
    row: int


class _Body(msgspec.Struct):
    choices: list[Any] = []
    data: list[Any] = []


class _Response(msgspec.Struct):
    body: _Body


class _Line(msgspec.Struct):
    hfgen: _Account
    response: _Response | None = None


_survey: Final = msgspec.json.Decoder(_Line).decode
_decode: Final = msgspec.json.Decoder(Result).decode


def results(journal: Path) -> Iterator[Result]:
    """All whole lines of an output, as they stand there.

    Raises:
        OutputFailed: It cannot be read, or one of them is no result.
    """
    try:
        with journal.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield _decode(line)
    except (OSError, *MALFORMED) as error:
        raise OutputFailed(f"{journal} cannot be read: {error}") from error


class Recorded:
    """An output file, looked through once.

    Args:
        journal: The file.
        folder: Where the places of its lines take their room.

    Attributes:
        rows: How many rows have a result.
        texts: Whether a row is answered by a text.
        pictures: Whether a row is answered by a picture.
        more: Whether a row is answered by several.

    Raises:
        UsageError: It cannot be read, or one of its lines is no result.
    """

    def __init__(self, journal: Path, folder: Path) -> None:
        self._name = journal
        self.rows = 0
        self.texts = self.pictures = self.more = False
        with ExitStack() as opened:
            try:
                self._file = opened.enter_context(journal.open("rb"))
            except OSError as error:
                raise UsageError(f"{journal}: {error.strerror}") from None
            self._places = opened.enter_context(Numbers(folder))
            self._look_through()
            self._opened = opened.pop_all()

    def _look_through(self) -> None:
        place = 0
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n"):
                break  # it is being written, or was cut: resuming the batch mends it
            try:
                read = _survey(line)
            except MALFORMED as error:
                raise UsageError(f"{self._name}: line {number} is no result of a batch: {error}") from None
            self.rows += self._places.get(read.hfgen.row) is None
            self._places.put(read.hfgen.row, place)
            place += len(line)
            body = read.response.body if read.response else _Body()
            self.texts |= bool(body.choices)
            self.pictures |= bool(body.data)
            self.more |= max(len(body.choices), len(body.data)) > 1
        self._end = place

    def of(self, row: int) -> Result | None:
        """What became of a row, None where it has no result yet."""
        place = self._places.get(row)
        if place is None:
            return None
        self._file.seek(place)
        return self._next()

    def by_row(self) -> Iterator[Result]:
        """All results in the order of their rows."""
        found = (self.of(row) for row in range(self._places.most + 1))
        return (result for result in found if result is not None)

    def by_completion(self) -> Iterator[Result]:
        """All results in the order in which they came."""
        place = 0
        while place < self._end:
            self._file.seek(place)
            result = self._next()
            if self._places.get(result.hfgen.row) == place:
                yield result
            place = self._file.tell()

    def _next(self) -> Result:
        line = self._file.readline()
        try:
            return _decode(line)
        except MALFORMED as error:
            raise UsageError(f"{self._name}: {line[:60]!r}… is no result of a batch: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()
