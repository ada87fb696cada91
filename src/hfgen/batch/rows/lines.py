r"""Lines of a file, bounded: `\n` ends one, and nothing else does (JSON may hold U+2028 as it is)."""

from collections.abc import Iterator
from itertools import count
from typing import BinaryIO, Final

from hfgen.batch.rows.record import Record

LONGEST: Final = 64 * 1024 * 1024  # bytes of a line: a conversation with a few large pictures
BOM: Final = b"\xef\xbb\xbf"
_KEPT: Final = 4096  # bytes of a line that is too long, to tell it from another


def lines(file: BinaryIO) -> Iterator[Record]:
    """Each line that holds more than white space, as a record without values, numbered as an editor numbers them."""
    for row in count(1):
        data = file.readline(LONGEST + 1)
        if not data:
            return
        if row == 1:
            data = data.removeprefix(BOM)
        if len(data) > LONGEST and not data.endswith(b"\n"):
            skip_line(file)
            yield Record(row, {}, data[:_KEPT], f"the line has more than {LONGEST >> 20} MiB")
        elif not data.isspace() and data:
            yield Record(row, {}, data.rstrip(b"\r\n"))


def skip_line(file: BinaryIO) -> None:
    """Read on to the end of the line."""
    while (piece := file.readline(LONGEST)) and not piece.endswith(b"\n"):
        pass
