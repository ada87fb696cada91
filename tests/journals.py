"""Jobs, results and journals as the tests of the batch need them."""

from pathlib import Path
from typing import Any

import msgspec

from hfgen.batch.job import Job
from hfgen.batch.journal.journal import Journal
from hfgen.batch.journal.sidecar import Source
from hfgen.batch.result import Account, Failure, Response, Result

STDIN = Source("-")
PARAMETERS: dict[str, Any] = {"model": "m", "temperature": 0.5}


def job(name: str, row: int = 1, prompt: str = "hello") -> Job:
    return Job.of(name, "/v1/chat/completions", msgspec.json.encode({"prompt": prompt}), row)


def edition(number: int, rows: int) -> list[Job]:
    """An input of which, from one edition to the next, a third of the rows is edited."""
    return [job(f"row-{row}", row, f"prompt {(number + row) // 3}") for row in range(1, rows + 1)]


def answer(asked: Job, text: str = "ok") -> Result:
    body = msgspec.Raw(msgspec.json.encode({"text": text}))
    return Result("batch_req_1", asked.custom_id, Response(200, "", body), None, Account(asked.digest, asked.row))


def refusal(asked: Job, status: int = 400) -> Result:
    body = msgspec.Raw(b'{"error":{"message":"no"}}')
    return Result("batch_req_1", asked.custom_id, Response(status, "", body), None, Account(asked.digest, asked.row))


def failure(asked: Job) -> Result:
    return Result("batch_req_1", asked.custom_id, None, Failure("timed_out", "late"), Account(asked.digest, asked.row))


def opened(out: Path, parameters: dict[str, Any] = PARAMETERS, **options: bool) -> Journal:
    return Journal.open(out, parameters, STDIN, **options)


def recorded(out: Path) -> dict[str, str]:
    """The digest of each row of an output, of which every line has to be whole and every row the only one."""
    lines = out.read_bytes().split(b"\n")
    assert lines.pop() == b""
    results = [msgspec.json.decode(line, type=Result) for line in lines]
    assert len({result.custom_id for result in results}) == len(results)
    return {result.custom_id: result.hfgen.digest for result in results}
