"""Parquet, read and written a few thousand rows at a time: the one module that imports pyarrow (extra `tables`)."""

# pyarrow has no types of its own, so nothing that comes from it has one:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterator
from typing import Final

from hfgen.batch.record import Record
from hfgen.batch.source import Source
from hfgen.errors import UsageError

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError:
    raise UsageError("Parquet needs pyarrow: pip install 'hfgen[tables]'") from None

_ROWS: Final = 1024  # that are decoded at once


def read_parquet(source: Source) -> tuple[tuple[str, ...], Iterator[Record]]:
    """The columns and the rows of a Parquet file.

    Raises:
        UsageError: It is none.
    """
    try:
        file = parquet.ParquetFile(source.file)
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{source.name}: it is no Parquet file: {error}") from None
    return tuple(file.schema_arrow.names), _rows(source.name, file)


def _rows(name: str, file: "parquet.ParquetFile") -> Iterator[Record]:
    row = 0
    try:
        for batch in file.iter_batches(batch_size=_ROWS):
            for values in batch.to_pylist():
                row += 1
                yield Record(row, values, b"")
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{name}: it is damaged after row {row}: {error}") from None
