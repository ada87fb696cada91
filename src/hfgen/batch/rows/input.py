"""The rows of a batch as jobs, one after the other in bounded memory.

A row that is wrong becomes a `BadRow` and the rest goes on; what is wrong with the input as a whole is a `UsageError`
before the first of them: no such column, a form that cannot be told, no request among the first hundred rows.
All of it blocks: in a coroutine read it in a thread.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Final, Self

import msgspec

from hfgen.batch.bad_row import BadRow, RowFault
from hfgen.batch.job import Job
from hfgen.batch.rows.asking import Asking
from hfgen.batch.rows.lines import lines
from hfgen.batch.rows.names import Names, nameless, numbered
from hfgen.batch.rows.openai_rows import openai_job
from hfgen.batch.rows.record import Record
from hfgen.batch.rows.shard import Shard
from hfgen.batch.rows.source import STDIN, Form, open_source
from hfgen.batch.rows.tables import Table, read_table
from hfgen.errors import UsageError

_LOOKED_AT: Final = 100  # rows that may all be wrong before the input is


@dataclass(frozen=True, slots=True)
class Reading:
    """How an input is read.

    Attributes:
        form: Its form; None to tell by its name, else by its beginning.
        asking: What is asked with each row; lines in OpenAI's form say that themselves.
        id_column: The column of the rows' names; "" to count the rows; None for `custom_id` or `id`, else counted.
        shard: Which share of the rows.
        limit: Only the first so many rows of the input, before they are shared out; None for all.
    """

    form: Form | None = None
    asking: Asking = field(default_factory=Asking)
    id_column: str | None = None
    shard: Shard = field(default_factory=Shard)
    limit: int | None = None


class Jobs(Iterator[Job | BadRow]):
    """The jobs of an input, once; the rows that are none stand between them.

    Names are not compared: that an input has one twice is found by whoever keeps the journal.

    Args:
        place: The path of a file, a pipe, or `-` for stdin.
        reading: How it is read.

    Attributes:
        source: The open input.
        columns: The columns that it has, as far as they are known before its rows.
        names: Where the rows' names are.
        pairs: What is left of the rows, each as it was read and as what was made of it.

    Raises:
        UsageError: The input as a whole is wrong.
    """

    columns: tuple[str, ...] = ()
    names: Names = Names("custom_id")

    def __init__(self, place: str, reading: Reading | None = None) -> None:
        reading = reading or Reading()
        self.source = open_source(place, reading.form, columns=reading.asking.wanted)
        try:
            records, read = self._opened(reading)
            records = _checked(self.source.name, islice(records, reading.limit), read)
        except BaseException:
            self.close()
            raise
        self.pairs = ((record, read(record)) for record in records if reading.shard.has(record.row))

    def _opened(self, reading: Reading) -> tuple[Iterator[Record], Callable[[Record], Job | BadRow]]:
        """The rows, and what makes a job of one."""
        if self.source.form == "openai":
            return lines(self.source.file), openai_job
        self.columns, records = _columns(self.source.name, read_table(self.source), reading.asking)
        self.names = Names.among(self.columns, reading.id_column)
        return records, _RowReader(reading.asking.over(self.columns), self.names)

    def __next__(self) -> Job | BadRow:
        try:
            return next(self.pairs)[1]
        except StopIteration:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self.source.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Rows(Iterable[Job | BadRow]):
    """The jobs of a file, as often as they are asked for; it is opened each time.

    Attributes:
        place: Its path.
        reading: How it is read.
    """

    place: str
    reading: Reading

    @classmethod
    def of(cls, place: str, reading: Reading) -> "Rows | Jobs":
        """Those of a file; what can be read only once, a pipe or stdin, is open then.

        Raises:
            UsageError: The input as a whole is wrong.
        """
        jobs = Jobs(place, reading)
        if place == STDIN or not Path(place).expanduser().is_file():
            return jobs
        jobs.close()
        return cls(place, reading)

    def __iter__(self) -> Iterator[Job | BadRow]:
        with Jobs(self.place, self.reading) as jobs:
            yield from jobs

    def close(self) -> None:
        """Nothing is open but while it is iterated over."""


@dataclass(frozen=True, slots=True)
class _RowReader:
    """Makes a job of a row."""

    asking: Asking
    names: Names

    def __call__(self, record: Record) -> Job | BadRow:
        name = (numbered if self.names.column is None else nameless)(record.row)
        try:
            if record.fault:
                raise RowFault(record.fault)
            name = self.names.of(record.row, record.values)
            return Job.of(name, self.asking.url, self.asking.body(record.values), record.row)
        except RowFault as fault:
            raw = record.raw or msgspec.json.encode(record.values, enc_hook=str)
            return BadRow.of(name, raw, record.row, f"row {record.row}: {fault}")


def _columns(name: str, table: Table, asking: Asking) -> tuple[tuple[str, ...], Iterator[Record]]:
    """The columns of a table; where each row has its own, those of the rows up to the first that can be asked with."""
    if table.columns is not None:
        return table.columns, table.records
    seen: list[Record] = []
    names: dict[str, None] = {}
    for record in islice(table.records, _LOOKED_AT):
        seen.append(record)
        names.update(dict.fromkeys(record.values))
        if any(column in names for column in asking.wanted):
            break
    if not seen:
        raise UsageError(f"{name}: it has no rows")
    if not names and seen[0].fault:
        raise _nothing_asked(name, len(seen), f"row {seen[0].row}: {seen[0].fault}")
    return tuple(names), chain(seen, table.records)


def _checked(name: str, records: Iterator[Record], read: Callable[[Record], Job | BadRow]) -> Iterator[Record]:
    """The same rows, once there is a request among the first."""
    seen: list[Record] = []
    first: BadRow | None = None
    for record in islice(records, _LOOKED_AT):
        seen.append(record)
        made = read(record)
        if isinstance(made, Job):
            return chain(seen, records)
        first = first or made
    if first is None:
        raise UsageError(f"{name}: it has no rows")
    raise _nothing_asked(name, len(seen), first.message)


def _nothing_asked(name: str, rows: int, first: str) -> UsageError:
    return UsageError(f"{name}: there is no request in its first {rows} rows; {first}")
