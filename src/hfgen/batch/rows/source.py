"""Where rows come from, and in which form: by the name of the file, else by what it begins with."""

import csv
import io
import shutil
import sys
import tempfile
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias, cast, get_args

import msgspec
from typing_extensions import Buffer

from hfgen.batch.rows.lines import BOM, LONGEST
from hfgen.errors import UsageError
from hfgen.wire_json import MALFORMED

Form: TypeAlias = Literal["openai", "jsonl", "csv", "tsv", "text", "parquet"]

FORMS: Final[tuple[Form, ...]] = get_args(Form)
STDIN: Final = "-"
_BY_ENDING: Final[dict[str, Form]] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "text",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_JSON_LINES: Final = (".jsonl", ".ndjson")
_LOOKED_AT: Final = 100  # lines of JSON that are tried before one must be whole
# What is no text, and what to do about it.
_FOREIGN: Final = (
    (b"\x1f\x8b", "it is compressed by gzip: `zcat FILE | hfgen batch - …`"),
    (b"\x28\xb5\x2f\xfd", "it is compressed by zstd: `zstdcat FILE | hfgen batch - …`"),
    (b"PK\x03\x04", "it is a ZIP archive or a spreadsheet: save it as CSV"),
    (b"\xff\xfe", "it is UTF-16: `iconv -f UTF-16 -t UTF-8 FILE | hfgen batch - …`"),
    (b"\xfe\xff", "it is UTF-16: `iconv -f UTF-16 -t UTF-8 FILE | hfgen batch - …`"),
    (b"[", "it is one JSON array: `jq -c '.[]' FILE | hfgen batch - …` makes lines of it; plain text is --format text"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """An input that is open at its beginning.

    Attributes:
        name: As a person named it.
        form: How to read it.
        file: Its bytes; whoever opened the source closes it.
    """

    name: str
    form: Form
    file: BinaryIO


def open_source(place: str, form: Form | None = None, *, columns: Collection[str] = ()) -> Source:
    """Open an input, `-` for stdin.

    Args:
        place: The path of a file, a pipe or `-`.
        form: How to read it; None to tell by its name, else by its beginning.
        columns: Columns that are asked for: a table whose header has one of them is told from plain text by that.

    Raises:
        UsageError: It cannot be opened, or its form cannot be told.
    """
    file: BinaryIO = _opened(place)
    try:
        ending = Path(place).suffix.lower() if place != STDIN else ""
        form = form or _BY_ENDING.get(ending)
        if form is None:
            head, file = _head(file, json=ending in _JSON_LINES)
            form = _json_form(head) if ending in _JSON_LINES else _sniffed(place, head, columns)
        if form == "parquet" and not file.seekable():
            file = _spooled(file)
    except BaseException:
        file.close()
        raise
    return Source("stdin" if place == STDIN else place, form, file)


def _opened(place: str) -> io.BufferedReader:
    try:
        if place == STDIN:
            return open(sys.stdin.fileno(), "rb", closefd=False)
        return Path(place).expanduser().open("rb")
    except (OSError, ValueError, AttributeError) as error:  # AttributeError: there is no stdin at all
        raise UsageError(f"{place}: {getattr(error, 'strerror', None) or error}") from None


def _head(file: BinaryIO, *, json: bool) -> tuple[bytes, BinaryIO]:
    """The first lines, and the file as it was."""
    if file.seekable():
        start = file.tell()
        head = _first_lines(file, json=json)
        file.seek(start)
        return head, file
    head = _first_lines(file, json=json)
    return head, io.BufferedReader(cast("io.RawIOBase", _Rewound(head, cast("io.BufferedReader", file))))


def _first_lines(file: BinaryIO, *, json: bool) -> bytes:
    """Lines up to one that holds something, of JSON up to one that is a whole object."""
    head = b""
    for _ in range(_LOOKED_AT):
        line = file.readline(LONGEST)
        head += line
        held = line.removeprefix(BOM).strip()
        if not line or (held and not json and not held.startswith(b"{")) or _object_of(held) is not None:
            break
    return head


def _object_of(line: bytes) -> dict[str, msgspec.Raw] | None:
    with suppress(*MALFORMED):
        return msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    return None


class _Rewound(io.RawIOBase):
    """A pipe with what was read of it put back."""

    def __init__(self, head: bytes, rest: io.BufferedReader) -> None:
        self._head = io.BytesIO(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        room = memoryview(buffer).cast("B")
        data = self._head.read(len(room)) or self._rest.read1(len(room))
        room[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._rest.close()
        super().close()


def _spooled(file: BinaryIO) -> BinaryIO:
    """A pipe as a file, for a form that has to be read from its end."""
    spool = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed with its source
    with file:
        shutil.copyfileobj(file, spool)
    spool.seek(0)
    return spool


def _json_form(head: bytes) -> Form:
    last = _object_of(head.removeprefix(BOM).rstrip().rpartition(b"\n")[2]) or {}
    return "openai" if "custom_id" in last and "body" in last else "jsonl"


def _sniffed(place: str, head: bytes, columns: Collection[str]) -> Form:
    if head.startswith(b"PAR1"):
        return "parquet"
    for magic, advice in _FOREIGN:
        if head.startswith(magic):
            raise UsageError(f"{place}: {advice}")
    held = head.removeprefix(BOM).lstrip()
    if held.startswith(b"{"):
        return _json_form(head)
    return _text_or_table(place, held.partition(b"\n")[0].decode("utf-8", "replace").rstrip(), columns)


def _text_or_table(place: str, first: str, columns: Collection[str]) -> Form:
    """A header that has a column that is asked for makes a table; what only looks like a header has to be told."""
    delimiters: tuple[tuple[Form, str], ...] = (("tsv", "\t"), ("csv", ","))
    for form, delimiter in delimiters:
        names = [name for fields in csv.reader([first], delimiter=delimiter) for name in fields]
        if set(names) & set(columns):
            return form
        if len(names) > 1 and all(each.isidentifier() for each in names):
            either = f"say --format {form} or --format text"
            raise UsageError(f"{place}: {first[:80]!r} may be the header of a table or a prompt; {either}")
    return "text"
