"""Parquet, read and written a few thousand rows at a time: the one module that imports pyarrow (extra `tables`)."""

# pyarrow has no types of its own, so nothing that comes from it has one:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, Final

from hfgen.batch.rows.columns import Kind, fitted
from hfgen.batch.rows.record import Record
from hfgen.batch.rows.source import Source
from hfgen.errors import UsageError

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError:
    raise UsageError("Parquet needs pyarrow: pip install 'hfgen[tables]'") from None

_BUFFER: Final = 1024 * 1024  # bytes of a column that are read at once; pyarrow's own way is a whole row group
_ROWS: Final = 1024  # that are decoded at once
_GROUP: Final = 16 * 1024  # rows of a row group that is written
_GROUP_SIZE: Final = 16 * 1024 * 1024  # and characters
_TYPES: Final[dict[Kind, Callable[[], Any]]] = {
    "text": pa.string,
    "int": pa.int64,
    "float": pa.float64,
    "bool": pa.bool_,
    "json": pa.string,
}


def read_parquet(source: Source) -> tuple[tuple[str, ...], Iterator[Record]]:
    """The columns and the rows of a Parquet file.

    Raises:
        UsageError: It is none.
    """
    try:
        file = parquet.ParquetFile(source.file, buffer_size=_BUFFER, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{source.name}: it is no Parquet file: {error}") from None
    return tuple(file.schema_arrow.names), _rows(source.name, file)


def schema_of(source: Source) -> Any:
    """The schema of a Parquet file, by which its columns keep their types."""
    return parquet.ParquetFile(source.file).schema_arrow


def _rows(name: str, file: "parquet.ParquetFile") -> Iterator[Record]:
    row = 0
    try:
        for batch in file.iter_batches(batch_size=_ROWS, use_threads=False):
            for values in batch.to_pylist():
                row += 1
                yield Record(row, values, b"")
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{name}: it is damaged after row {row}: {error}") from None


class ParquetRows:
    """A Parquet file that is written a row group at a time.

    Args:
        file: Where the bytes go.
        columns: Every column, in order, with what it holds.
        like: A schema that some of the columns have their types from.
    """

    def __init__(self, file: BinaryIO, columns: Mapping[str, Kind], like: Any = None) -> None:
        known = {} if like is None else {field.name: field for field in like}
        self._schema = pa.schema([known.get(name) or pa.field(name, _TYPES[kind]()) for name, kind in columns.items()])
        self._kinds: dict[str, Kind] = {name: kind for name, kind in columns.items() if name not in known}
        self._file = parquet.ParquetWriter(file, self._schema)
        self._rows: list[dict[str, Any]] = []
        self._size = 0

    def write(self, cells: Mapping[str, Any]) -> None:
        row = {**cells, **{name: fitted(cells.get(name), kind) for name, kind in self._kinds.items()}}
        self._rows.append(row)
        self._size += sum(len(cell) if isinstance(cell, str | bytes) else 8 for cell in row.values())
        if len(self._rows) >= _GROUP or self._size >= _GROUP_SIZE:
            self._write_group()

    def close(self) -> None:
        self._write_group()
        self._file.close()

    def _write_group(self) -> None:
        if self._rows:
            self._file.write_table(pa.Table.from_pylist(self._rows, self._schema))
            self._rows.clear()
            self._size = 0
