"""How an input compares with what is recorded."""

from collections.abc import Iterable
from dataclasses import dataclass

from hfgen.batch.bad_row import BadRow
from hfgen.batch.job import Job
from hfgen.batch.journal.index import Index


@dataclass(frozen=True, slots=True)
class Survey:
    """An input as it compares with the output.

    Attributes:
        rows: All rows of the input.
        recorded: Those of them whose answer or error is recorded.
        edited: Those that were recorded and differ since; their lines are dropped.
        gone: Rows that are recorded and that the input no longer has; their lines stay.
    """

    rows: int
    recorded: int
    edited: int
    gone: int


def take_survey(index: Index, jobs: Iterable[Job | BadRow]) -> Survey:
    """Go through the whole input once; the index forgets the edited rows.

    Raises:
        UsageError: Two rows of the input have the same custom_id.
        OutputFailed: The disk of temporary files is full.
    """
    index.begin_again()
    rows = recorded = edited = 0
    for job in jobs:
        rows += 1
        record = index.meet(job.custom_id, job.row)
        if record is None:
            continue
        if record.digest == job.digest:
            recorded += 1
        else:
            edited += 1
            index.forget(job.custom_id)
    return Survey(rows, recorded, edited, index.unmet())
