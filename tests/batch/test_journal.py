"""The output of a batch is its journal."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hfgen.batch.job import Job
from hfgen.batch.journal import Journal
from hfgen.batch.result import Account, Failure, Response, Result
from hfgen.batch.sidecar import Source
from hfgen.errors import UsageError

STDIN = Source("-")
PARAMETERS: dict[str, Any] = {"model": "m", "temperature": 0.5}


def job(name: str, row: int = 1, prompt: str = "hello") -> Job:
    return Job.of(name, "/v1/chat/completions", msgspec.json.encode({"prompt": prompt}), row)


def answer(asked: Job, text: str = "ok", status: int = 200) -> Result:
    body = msgspec.Raw(msgspec.json.encode({"text": text}))
    return Result("batch_req_1", asked.custom_id, Response(status, "", body), None, Account(asked.digest, asked.row))


def failure(asked: Job) -> Result:
    return Result("batch_req_1", asked.custom_id, None, Failure("timed_out", "late"), Account(asked.digest, asked.row))


def opened(out: Path, parameters: dict[str, Any] = PARAMETERS, **options: bool) -> Journal:
    return Journal.open(out, parameters, STDIN, **options)


def ids(out: Path) -> list[str]:
    return [msgspec.json.decode(line)["custom_id"] for line in out.read_bytes().splitlines()]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def test_what_was_appended_is_done_at_the_next_start(out: Path) -> None:
    with opened(out) as journal:
        assert not journal.done(job("a"))
        journal.append(answer(job("a")))
    with opened(out) as journal:
        assert journal.done(job("a"))
        assert not journal.done(job("b", 2))
        assert (journal.answered, journal.failed, journal.notices) == (1, 0, ())


def test_a_row_that_failed_is_done_unless_failed_rows_are_to_be_retried(out: Path) -> None:
    with opened(out) as journal:
        journal.append(failure(job("a")))
        journal.append(answer(job("b", 2)))
    with opened(out) as journal:
        assert journal.done(job("a"))
    with opened(out, retry_failed=True) as journal:
        assert not journal.done(job("a"))
        assert journal.done(job("b", 2))
        assert journal.notices == ("1 rows that had failed are asked again.",)
    assert ids(out) == ["b"]


def test_changed_parameters_are_refused_by_name_and_taken_by_force(out: Path) -> None:
    with opened(out) as journal:
        journal.append(answer(job("a")))
    with pytest.raises(
        UsageError, match=r"temperature was 0\.5 and is now 0\.7; seed was not set and is now 1\n.*force"
    ):
        opened(out, {"model": "m", "temperature": 0.7, "seed": 1})
    with opened(out, {"model": "m", "temperature": 0.7}, force=True) as journal:
        assert journal.done(job("a"))
        assert [earlier.parameters for earlier in journal.meta.earlier] == [PARAMETERS]
