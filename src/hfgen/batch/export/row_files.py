r"""Files of rows: JSON lines, CSV, Parquet.

CSV is opened in spreadsheets, which take a cell that begins with `= + - @` or a control character for a formula; what a
model wrote must not become one (OWASP, CSV injection). Such a cell, a plain number excepted, gets a `'` before it.
"""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, Protocol, TypeAlias, get_args

import msgspec

from hfgen.batch.rows.columns import Kind, fitted
from hfgen.errors import UsageError

RowForm: TypeAlias = Literal["jsonl", "csv", "parquet"]

ROW_FORMS: Final[tuple[RowForm, ...]] = get_args(RowForm)
_BY_ENDING: Final[Mapping[str, RowForm]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_FORMULA: Final = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # the last four are the first four, full width
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


class RowFile(Protocol):
    """A file that rows are written to."""

    def write(self, cells: Mapping[str, Any]) -> None:
        """One more row; a cell that is not given is empty."""
        ...

    def close(self) -> None:
        """Write what is left; the file beneath stays open."""
        ...


def row_form(name: str) -> RowForm:
    """The form that a file's name says.

    Raises:
        UsageError: None that is known.
    """
    form = _BY_ENDING.get(Path(name).suffix.lower())
    if form is None:
        raise UsageError(f"{name}: end its name in .jsonl, .csv or .parquet, or give --to-format")
    return form


def row_file(file: BinaryIO, form: RowForm, columns: Mapping[str, Kind], like: object = None) -> RowFile:
    """A file of rows.

    Args:
        file: Where the bytes go.
        form: How rows are written.
        columns: Every column, in order, with what it holds.
        like: A Parquet file's schema: columns that are there too keep their types.

    Raises:
        UsageError: Parquet without the extra `tables`.
    """
    match form:
        case "jsonl":
            return JsonLines(file, columns)
        case "csv":
            return Csv(file, columns)
        case "parquet":
            from hfgen.batch.rows.arrow import ParquetRows  # noqa: PLC0415 - pyarrow is heavy, and an extra

            return ParquetRows(file, columns, like)


class JsonLines:
    """A JSON object a line, with every column in each."""

    def __init__(self, file: BinaryIO, columns: Mapping[str, Kind]) -> None:
        self._file = file
        self._empty = dict.fromkeys(columns)
        self._encode = msgspec.json.Encoder(enc_hook=str).encode

    def write(self, cells: Mapping[str, Any]) -> None:
        self._file.write(self._encode({**self._empty, **cells}) + b"\n")

    def close(self) -> None:
        self._file.flush()


class Csv:
    """Comma-separated values by RFC 4180, in UTF-8, guarded."""

    def __init__(self, file: BinaryIO, columns: Mapping[str, Kind]) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._columns = columns
        self._writer = csv.writer(self._text, lineterminator="\r\n")
        self._writer.writerow([guarded(name) for name in columns])

    def write(self, cells: Mapping[str, Any]) -> None:
        self._writer.writerow([_cell(cells.get(name), kind) for name, kind in self._columns.items()])

    def close(self) -> None:
        self._text.flush()
        self._text.detach()


def _cell(value: Any, kind: Kind) -> object:
    value = fitted(value, kind)
    if isinstance(value, bool):
        return "true" if value else "false"
    return guarded(value) if isinstance(value, str) else value  # csv writes a number as it is, and None as nothing


def guarded(cell: str) -> str:
    """The cell as no spreadsheet calculates it."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell
