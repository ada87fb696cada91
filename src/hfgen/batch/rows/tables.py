"""Rows out of CSV, TSV, JSON lines and plain text, streamed: memory holds one row."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import msgspec

from hfgen.batch.rows.lines import BOM, LONGEST, lines, skip_line
from hfgen.batch.rows.record import Record
from hfgen.batch.rows.source import Source
from hfgen.errors import UsageError
from hfgen.wire_json import MALFORMED

TEXT_COLUMN: Final = "prompt"
_DELIMITERS: Final = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is being read.

    Attributes:
        columns: Its columns, None where each row has its own (JSON lines).
        records: Its rows, once.
    """

    columns: tuple[str, ...] | None
    records: Iterator[Record]


def read_table(source: Source) -> Table:
    """The rows of a source.

    Raises:
        UsageError: The header is none, or Parquet without the extra `tables`.
    """
    match source.form:
        case "csv" | "tsv":
            return _separated(source)
        case "parquet":
            from hfgen.batch.rows.arrow import read_parquet  # noqa: PLC0415 - pyarrow is heavy, and an extra

            columns, records = read_parquet(source)
            return Table(columns, records)
        case "text":
            return Table((TEXT_COLUMN,), _text(source.file))
        case "jsonl" | "openai":
            return Table(None, _json(source.file))


def text_lines(file: BinaryIO) -> Iterator[str]:
    """The lines of a table as the csv module takes them."""
    return _TextLines(file)


def _text(file: BinaryIO) -> Iterator[Record]:
    for line in lines(file):
        try:
            yield line if line.fault else Record(line.row, {TEXT_COLUMN: line.raw.decode()}, line.raw)
        except UnicodeDecodeError as error:
            yield Record(line.row, {}, line.raw, f"the line is not UTF-8: {error.reason} at byte {error.start + 1}")


def _json(file: BinaryIO) -> Iterator[Record]:
    decode = msgspec.json.Decoder(dict[str, object]).decode
    for line in lines(file):
        try:
            yield line if line.fault else Record(line.row, decode(line.raw), line.raw)
        except MALFORMED as error:
            yield Record(line.row, {}, line.raw, f"the line is no JSON object: {error}")


def _separated(source: Source) -> Table:
    csv.field_size_limit(max(LONGEST, csv.field_size_limit()))  # of the process: the module has no other
    reader = csv.reader(text_lines(source.file), delimiter=_DELIMITERS[source.form], strict=True)
    try:
        header = next((fields for fields in reader if fields), None)
    except csv.Error as error:
        raise UsageError(f"{source.name}: its header is no {source.form.upper()}: {error}") from None
    columns = _checked_header(source.name, header)
    return Table(columns, _rows(reader, columns))


def _checked_header(name: str, header: list[str] | None) -> tuple[str, ...]:
    if header is None:
        raise UsageError(f"{name}: it is empty; its first line has to name the columns")
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise UsageError(f"{name}: its header has {twice[0]!r} more than once; give each column a name of its own")
    if not _is_utf8(header):
        raise UsageError(f"{name}: its header is not UTF-8; save the file as UTF-8")
    return tuple(header)


def _rows(reader: Iterator[list[str]], columns: tuple[str, ...]) -> Iterator[Record]:
    row = 1
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(row, {}, str(error).encode(), f"it is no CSV: {error}")
        else:
            if not fields:
                continue  # a line with nothing in it is no row
            yield _record(row, fields, columns)
        row += 1


def _record(row: int, fields: list[str], columns: tuple[str, ...]) -> Record:
    raw = "\0".join(fields).encode("utf-8", "surrogateescape")
    if len(fields) != len(columns):
        fault = f"the row has {len(fields)} fields, and the header {len(columns)}; a comma or a quote may be missing"
        return Record(row, {}, raw, fault)
    if not _is_utf8(fields):
        return Record(row, {}, raw, "the row is not UTF-8; save the file as UTF-8")
    return Record(row, dict(zip(columns, fields, strict=True)), raw)


def _is_utf8(fields: list[str]) -> bool:
    """Whether no byte had to be escaped as half of a surrogate pair."""
    try:
        "".join(fields).encode()
    except UnicodeEncodeError:
        return False
    return True


class _TextLines:
    """The lines of a file as text; one that is too long is skipped, and told as csv tells its own errors."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begun = False

    def __iter__(self) -> "_TextLines":
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST)
        if not line:
            raise StopIteration
        if len(line) == LONGEST and not line.endswith(b"\n"):
            skip_line(self._file)
            raise csv.Error(f"a line has more than {LONGEST >> 20} MiB")
        if not self._begun:
            self._begun = True
            line = line.removeprefix(BOM)
        return line.decode("utf-8", "surrogateescape")  # what is no UTF-8 is found in its row
