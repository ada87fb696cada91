"""Lines in OpenAI's Batch form are taken as they are; one that is wrong says where and why, and stops no other."""

import json
from pathlib import Path
from typing import Any

import pytest

from hfgen.batch.bad_row import BadRow
from hfgen.batch.job import Job
from hfgen.batch.rows.input import Jobs
from hfgen.errors import UsageError

HI = [{"role": "user", "content": "Hi"}]
GOOD: dict[str, Any] = {
    "custom_id": "one",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"model": "its/own", "messages": HI, "user": "unknown to hfgen"},
}


def read(tmp_path: Path, *lines: object) -> list[Job | BadRow]:
    file = tmp_path / "in.jsonl"
    file.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    with Jobs(str(file)) as jobs:
        return list(jobs)


def fault(tmp_path: Path, line: object) -> BadRow:
    first, second, third = read(tmp_path, GOOD, line, {**GOOD, "custom_id": "three"})
    assert isinstance(first, Job)
    assert isinstance(third, Job)
    assert isinstance(second, BadRow)
    return second


def test_a_line_is_a_job_with_its_body_as_it_stands(tmp_path: Path) -> None:
    (job,) = read(tmp_path, GOOD)

    assert isinstance(job, Job)
    assert (job.custom_id, job.url, job.row) == ("one", "/v1/chat/completions", 1)
    assert json.loads(job.body) == GOOD["body"]


@pytest.mark.parametrize(
    ("url", "body"), [("/v1/completions", {"prompt": "Once"}), ("/v1/images/generations", {"prompt": "a fox"})]
)
def test_raw_completions_and_pictures_are_asked_too(tmp_path: Path, url: str, body: dict[str, str]) -> None:
    (job,) = read(tmp_path, {"custom_id": "a", "url": url, "body": body})

    assert isinstance(job, Job)
    assert job.url == url


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"custom_id": 7}, "line 2: custom_id: it is 7; give"),
        ({"custom_id": None}, "custom_id: it is missing"),
        ({"custom_id": ""}, 'custom_id: it is ""'),
        ({"method": "GET"}, "method: it is 'GET'"),
        ({"url": None}, "url: it is missing; it has to be one of /v1/chat/completions"),
        ({"url": "/v1/embeddings"}, "url: it is '/v1/embeddings'"),
        ({"url": ["/v1/chat/completions"]}, "url: it is ['/v1"),
        ({"body": None}, "body: "),
        ({"body": []}, "body: "),
        ({"body": {}}, "body: messages: "),
        ({"body": {"messages": "Hi"}}, "body: messages: Expected `array`"),
        ({"body": {"messages": HI, "temperature": "hot"}}, "body: temperature: Expected `float"),
        ({"body": {"messages": HI, "stop": [1]}}, "body: stop"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    bad = fault(tmp_path, {**GOOD, "custom_id": "two", **change})

    assert words in bad.message
    assert bad.message.startswith("line 2: ")
    assert bad.custom_id == ("invalid-row-2" if "custom_id" in change else "two")
    assert bad.failure.code == "invalid_row"


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON",
        b'{"custom_id": "two", "url": "/v1/chat/comp',
        b"[1, 2]",
        b"\xff\xfe",
        b'{"custom_id": "\\ud83d"}',
        json.dumps(GOOD).encode().replace(b'"unknown to hfgen"', b"[" * 5000 + b"]" * 5000),
        json.dumps(GOOD).encode().replace(b'"unknown to hfgen"', b'"\xff"'),
        json.dumps(GOOD).encode().replace(b'"unknown to hfgen"', b"9" * 5000),
    ],
)
def test_a_line_that_is_no_json_is_a_bad_row(tmp_path: Path, line: bytes) -> None:
    assert fault(tmp_path, line).message.startswith("line 2: ")


def test_a_bad_row_that_was_mended_has_another_digest(tmp_path: Path) -> None:
    assert fault(tmp_path, b"no JSON").digest != fault(tmp_path, b"still none").digest


def test_a_line_that_cannot_be_read_takes_no_name_from_another(tmp_path: Path) -> None:
    jobs = read(
        tmp_path, *({**GOOD, "custom_id": f"row-{n}"} for n in range(3)), b"no JSON", {**GOOD, "custom_id": "row-4"}
    )

    assert [job.custom_id for job in jobs] == ["row-0", "row-1", "row-2", "invalid-row-4", "row-4"]


def test_empty_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    assert [job.row for job in read(tmp_path, b"", GOOD, b"  \r", {**GOOD, "custom_id": "b"})] == [2, 4]


def test_a_line_may_hold_the_other_line_ends_of_unicode(tmp_path: Path) -> None:
    line = json.dumps({**GOOD, "custom_id": "a\u2028b\u0085c"}, ensure_ascii=False).encode()

    assert [job.custom_id for job in read(tmp_path, line)] == ["a\u2028b\u0085c"]


def test_an_input_without_any_request_is_refused_with_its_first_fault(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no request in its first 3 rows; line 1: url: it is '/v1/embeddings'"):
        read(tmp_path, *[{**GOOD, "url": "/v1/embeddings"}] * 3)


def test_a_name_that_is_there_twice_is_left_to_the_journal_to_find(tmp_path: Path) -> None:
    assert [job.custom_id for job in read(tmp_path, GOOD, GOOD)] == ["one", "one"]
