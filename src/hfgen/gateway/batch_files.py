"""The files of a batch: what is wrong with the one that came in, and those that come of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from hfgen.batch.bad_row import BadRow
from hfgen.batch.job import Job, Url
from hfgen.batch.result import Failure, Response, Result
from hfgen.batch.rows.input import Jobs, Reading
from hfgen.errors import UsageError
from hfgen.gateway.batch_store import Batch, Cached, LineFault, State, Thought, Tokens
from hfgen.gateway.file_store import FileStore
from hfgen.openai_types import UsageInfo, usage_of

_READING: Final = Reading(form="openai")
_MOST_ROWS: Final = 100_000
_MOST_FAULTS: Final = 100
_decode: Final = msgspec.json.Decoder(Result).decode
_UNASKED: Final = {
    "expired": Failure("batch_expired", "the row was not answered before the batch had to end"),
    "cancelled": Failure("batch_cancelled", "the batch was cancelled before the row was answered"),
    "failed": Failure("batch_failed", "the batch failed before the row was answered"),
}


class Made(NamedTuple):
    """What came of a batch."""

    answers: int
    failures: int
    output_file_id: str | None
    error_file_id: str | None
    model: str | None
    usage: Tokens


class _Answer(msgspec.Struct):
    """What of an answer counts for the whole batch."""

    model: str | None = None
    usage: UsageInfo | None = None


class _Line(msgspec.Struct):
    """A line as OpenAI's server writes it; which server answered is the gateway's affair."""

    id: str
    custom_id: str
    response: Response | None
    error: Failure | None


_answer: Final = msgspec.json.Decoder(_Answer).decode


def look_through(file: Path, endpoint: Url) -> tuple[int, tuple[LineFault, ...]]:
    """The rows of an input, and what is wrong with it, if anything; it blocks."""
    faults: list[LineFault] = []
    rows = 0
    try:
        for rows, fault in enumerate(_faults(file, endpoint), 1):
            if rows > _MOST_ROWS:
                faults.append(LineFault("too_many_rows", f"a batch has at most {_MOST_ROWS} rows"))
            elif fault is not None:
                faults.append(fault)
            if rows > _MOST_ROWS or len(faults) >= _MOST_FAULTS:
                break
    except UsageError as error:
        faults.append(LineFault("invalid_file", error.message))
    return rows, tuple(faults)


def _faults(file: Path, endpoint: Url) -> Iterator[LineFault | None]:
    seen: dict[str, int] = {}
    with Jobs(str(file), _READING) as rows:
        for row in rows:
            if isinstance(row, BadRow):
                yield LineFault("invalid_row", row.message, row.row)
            elif row.url != endpoint:
                message = f"the url is {row.url}, and the batch's endpoint {endpoint}"
                yield LineFault("mismatched_endpoint", message, row.row, "url")
            elif row.custom_id in seen:
                message = f"the custom_id {row.custom_id!r} is that of line {seen[row.custom_id]}, too"
                yield LineFault("duplicate_custom_id", message, row.row, "custom_id")
            else:
                seen[row.custom_id] = row.row
                yield None


def write_files(store: FileStore, batch: Batch, state: State, journal: Path, source: Path) -> Made:
    """Split the journal in answers and errors, with an error for each row that was not asked; it blocks."""
    output_id, output = store.new()
    error_id, errors = store.new()
    found: set[int] = set()
    total = _Total()
    failures = 0
    with output.open("wb") as good, errors.open("wb") as bad:
        for result in _recorded(journal):
            found.add(result.hfgen.row)
            if result.ok and result.response is not None:
                total.add(result.response)
            else:
                failures += 1
            (good if result.ok else bad).write(_line(result.id, result.custom_id, result.response, result.error))
        for job in _missing(source, found):
            failures += 1
            bad.write(_line(f"batch_req_{batch.id[-12:]}{job.row:012x}", job.custom_id, None, _UNASKED[state]))
    output_file = _kept(store, output_id, f"{batch.id}_output.jsonl", batch.owner, total.answers)
    error_file = _kept(store, error_id, f"{batch.id}_error.jsonl", batch.owner, failures)
    return Made(total.answers, failures, output_file, error_file, total.model, total.tokens)


class _Total:
    """Of all answers: how many, of which models, and the tokens that they took."""

    def __init__(self) -> None:
        self.answers = 0
        self._models: set[str | None] = set()
        self._input = self._cached = self._output = self._reasoning = 0

    def add(self, response: Response) -> None:
        """One more."""
        answer = _answer(response.body)
        usage = usage_of(answer.usage or UsageInfo())
        self.answers += 1
        self._models.add(answer.model)
        self._input += usage.prompt_tokens
        self._cached += usage.cached_tokens
        self._output += usage.completion_tokens
        self._reasoning += usage.reasoning_tokens

    @property
    def model(self) -> str | None:
        """That all are of, None where they are of several."""
        return next(iter(self._models)) if len(self._models) == 1 else None

    @property
    def tokens(self) -> Tokens:
        """Of all."""
        total = self._input + self._output
        return Tokens(self._input, Cached(self._cached), self._output, Thought(self._reasoning), total)


def _kept(store: FileStore, file_id: str, filename: str, owner: str, rows: int) -> str | None:
    """A file without rows is none."""
    if not rows:
        store.drop(file_id)
        return None
    return store.keep(file_id, filename, "batch_output", owner).id


def _recorded(journal: Path) -> Iterator[Result]:
    if not journal.exists():
        return
    with journal.open("rb") as file:
        for line in file:
            yield _decode(line)


def _missing(source: Path, found: set[int]) -> Iterator[Job]:
    with Jobs(str(source), _READING) as rows:
        for row in rows:
            if isinstance(row, Job) and row.row not in found:
                yield row


def _line(name: str, custom_id: str, response: Response | None, error: Failure | None) -> bytes:
    return msgspec.json.encode(_Line(name, custom_id, response, error)) + b"\n"
