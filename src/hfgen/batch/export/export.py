"""The output of a batch as a table: a row for each result, with the columns of the input beside those of the answer.

All of it blocks, and takes the memory of a few rows; what has to be looked up lies in files without names beside the
export.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from hfgen.batch.export.answer_cells import ACCOUNT, MORE, PICTURE, TEXT, cells_of
from hfgen.batch.export.original import Original
from hfgen.batch.export.row_files import RowFile, RowForm, row_file, row_form
from hfgen.batch.export.whole_file import STDOUT, whole_file
from hfgen.batch.journal.recorded import Recorded
from hfgen.batch.journal.spill import Spill
from hfgen.batch.result import Result
from hfgen.batch.rows.columns import Kind, beside
from hfgen.batch.rows.input import Reading
from hfgen.errors import UsageError

Order: TypeAlias = Literal["input", "completion"]

_NAME: Final = "custom_id"


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported, and how.

    Attributes:
        journal: The output of the batch, which may still be running.
        out: The file that is written, `-` for stdout.
        source: The batch's input, for its columns; None to go without them.
        reading: How the batch read it.
        order: Rows as they stand in the input, or as they were answered.
        form: How rows are written; None to tell by the name of `out`.
        errors: A file of the same form for the rows without an answer; None to have them among the others.
    """

    journal: Path
    out: str
    source: str | None = None
    reading: Reading = field(default_factory=Reading)
    order: Order = "completion"
    form: RowForm | None = None
    errors: str | None = None


@dataclass(slots=True)
class Exported:
    """What was written.

    Attributes:
        answers: Rows with an answer.
        failures: Rows without one.
        missing: Rows of the input that have no result yet; 0 where no input was given.
        renamed: Columns of the answer whose names the input has already, with what they are called instead.
    """

    answers: int = 0
    failures: int = 0
    missing: int = 0
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])


def export(asked: Export) -> Exported:
    """Write the table.

    Raises:
        UsageError: A file that cannot be read or written, an input that is not the one that was answered, a form that
            cannot be told, or Parquet without the extra `tables`.
        OSError: A write failed; what was there before still is.
    """
    form = asked.form or row_form(asked.out)
    _check_places(asked)
    folder = _folder(asked.out)
    done = Exported()
    with ExitStack() as opened:
        recorded = opened.enter_context(Recorded(asked.journal, folder))
        original = opened.enter_context(Original(asked.source, asked.reading)) if asked.source else None
        layout = _layout(recorded, original)
        done.renamed = layout.renamed
        answers = opened.enter_context(_table(asked.out, form, layout))
        failures = opened.enter_context(_table(asked.errors, form, layout)) if asked.errors else answers
        for result, cells in _pairs(asked.order, recorded, original, folder, done):
            (answers if result.ok else failures).write(layout.row(result, cells))
            done.answers += result.ok
            done.failures += not result.ok
    return done


@dataclass(frozen=True, slots=True)
class _Layout:
    """The columns of the table.

    Attributes:
        columns: All of them in order.
        names: What the answer's are called.
        like: The schema that the input's have their types from.
    """

    columns: Mapping[str, Kind]
    names: Mapping[str, str]
    like: object

    @property
    def renamed(self) -> dict[str, str]:
        return {name: given for name, given in self.names.items() if name != given}

    def row(self, result: Result, cells: Mapping[str, Any]) -> dict[str, Any]:
        answer = {_NAME: result.custom_id, **cells_of(result)}
        return {**cells, **{given: answer.get(name) for name, given in self.names.items()}}


def _layout(recorded: Recorded, original: Original | None) -> _Layout:
    mine: dict[str, Kind] = {} if original is None else original.columns
    added: dict[str, Kind] = {} if original is not None and original.named else {_NAME: "text"}
    if recorded.texts or not recorded.pictures:
        added |= TEXT
    if recorded.pictures:
        added |= PICTURE
    if recorded.more:
        added |= MORE
    added |= ACCOUNT
    names = beside(mine, added)
    columns: dict[str, Kind] = {**mine, **{names[name]: kind for name, kind in added.items()}}
    return _Layout(columns, names, None if original is None else original.like)


def _check_places(asked: Export) -> None:
    """Refuse to write over what is read."""
    read = [asked.journal, *([Path(asked.source)] if asked.source else [])]
    written = [Path(place).expanduser() for place in (asked.out, asked.errors) if place and place != STDOUT]
    for place in written:
        if any(place.exists() and each.exists() and place.samefile(each) for each in read):
            raise UsageError(f"{place}: it is read here, so it cannot be written to; give another name")
    if asked.errors == asked.out:
        raise UsageError(f"{asked.out}: rows without an answer need a file of their own, or none")


def _folder(out: str) -> Path:
    """Where there is room for the table, and so for what is looked up meanwhile."""
    folder = Path.cwd() if out == STDOUT else Path(out).expanduser().absolute().parent
    if not folder.is_dir():
        raise UsageError(f"{out}: there is no folder {folder}; make it first")
    return folder


@contextmanager
def _table(place: str, form: RowForm, layout: _Layout) -> Generator[RowFile]:
    with whole_file(place) as file:
        rows = row_file(file, form, layout.columns, layout.like)
        try:
            yield rows
        finally:
            rows.close()


def _pairs(
    order: Order, recorded: Recorded, original: Original | None, folder: Path, done: Exported
) -> Iterator[tuple[Result, Mapping[str, Any]]]:
    """Each result with its row's cells."""
    if original is None:
        results = recorded.by_row() if order == "input" else recorded.by_completion()
        yield from ((result, {}) for result in results)
        return
    matched = _matched(recorded, original, done)
    if order == "input":
        yield from matched
        return
    with Spill(folder) as spill:
        for result, cells in matched:
            spill.put(result.hfgen.row, cells)
        yield from ((result, spill.get(result.hfgen.row)) for result in recorded.by_completion())


def _matched(recorded: Recorded, original: Original, done: Exported) -> Iterator[tuple[Result, dict[str, Any]]]:
    """The input's rows in order with their results.

    Raises:
        UsageError: It is another input, or a row was edited since.
    """
    found = 0
    for made, cells in original.rows():
        result = recorded.of(made.row)
        if result is None:
            done.missing += 1
            continue
        if (result.custom_id, result.hfgen.digest) != (made.custom_id, made.digest):
            name, now = result.custom_id, made.custom_id
            what = (
                f"it asks something else than what {name!r} was asked"
                if name == now
                else f"it is {now!r}, not {name!r}"
            )
            raise UsageError(
                f"row {made.row} of the input is not the one that was answered: {what}; "
                "export with the input and the columns as they were, or run the batch again"
            )
        found += 1
        yield result, cells
    if found < recorded.rows:
        raise UsageError(
            f"{recorded.rows - found} rows that were answered are not in the input; export with the input as it was"
        )
