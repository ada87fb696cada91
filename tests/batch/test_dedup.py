"""Rows that ask the same are asked once; the others get a copy, whenever the process is killed."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from hfgen.batch.dedup import Dedup
from hfgen.batch.job import Job, Url
from hfgen.batch.result import Account, Failure, Response, Result

COLD: dict[str, Any] = {"prompt": "Hi", "temperature": 0}


def job(row: int, body: dict[str, Any], url: Url = "/v1/completions") -> Job:
    return Job.of(f"row-{row}", url, json.dumps(body).encode(), row)


def answer(asked: Job) -> Result:
    body = msgspec.Raw(b'{"choices":[{"text":"to ' + asked.custom_id.encode() + b'"}]}')
    account = Account(asked.digest, asked.row, attempts=3, seconds=1.5, server="here", prompt_tokens=9, cost=0.1)
    return Result("batch_req_1", asked.custom_id, Response(200, "", body), None, account)


def firsts(*jobs: Job, **run: Any) -> list[str | None]:
    with Dedup(**run) as dedup:
        return [dedup.first_of(each) for each in jobs]


def test_a_row_that_asks_what_an_earlier_one_asks_is_told() -> None:
    assert firsts(job(1, COLD), job(2, {"temperature": 0, "prompt": "Hi"}), job(3, COLD)) == [None, "row-1", "row-1"]


@pytest.mark.parametrize(
    "other", [{**COLD, "prompt": "Ho"}, {**COLD, "model": "another/one"}, {**COLD, "max_tokens": 5}, {**COLD, "n": 2}]
)
def test_rows_that_differ_in_anything_are_asked_each(other: dict[str, Any]) -> None:
    assert firsts(job(1, COLD), job(2, other)) == [None, None]


def test_the_same_body_at_another_route_is_another_question() -> None:
    assert firsts(job(1, COLD), job(2, COLD, "/v1/images/generations")) == [None, None]


@pytest.mark.parametrize(
    ("body", "run", "settled"),
    [
        ({"temperature": 0}, {}, True),
        ({"temperature": 0.0}, {"temperature": 1.0}, True),
        ({"seed": 0}, {}, True),
        ({"temperature": 1, "seed": 5}, {}, True),
        ({}, {"temperature": 0}, True),
        ({}, {"seed": 7}, True),
        ({"temperature": 0.7}, {"seed": 7}, True),
        ({"temperature": None}, {"temperature": 0.0}, True),
        ({}, {}, False),
        ({"temperature": 0.7}, {}, False),
        ({"temperature": 0.7}, {"temperature": 0.0}, False),
        ({"temperature": "cold"}, {"seed": 1}, False),
    ],
)
def test_only_answers_that_are_settled_are_shared(body: dict[str, Any], run: dict[str, Any], settled: bool) -> None:
    body = {"prompt": "Hi", **body}

    assert firsts(job(1, body), job(2, body), **run) == [None, "row-1" if settled else None]


def test_a_copy_has_its_own_name_and_digest_and_cost_nothing() -> None:
    first, second = job(1, COLD), job(2, COLD)
    with Dedup() as dedup:
        dedup.first_of(first)
        dedup.hold(second, str(dedup.first_of(second)))

        (copy,) = dedup.copies([answer(job(9, {"prompt": "x"})), answer(first)])

    assert (copy.custom_id, copy.response) == ("row-2", answer(first).response)
    assert copy.id != "batch_req_1"
    assert copy.hfgen == Account(second.digest, 2, attempts=0, seconds=0, server="here", cost=0.0, copied_from="row-1")


def test_a_failure_is_shared_as_well() -> None:
    with Dedup() as dedup:
        dedup.first_of(job(1, COLD))
        dedup.hold(job(2, COLD), "row-1")
        failed = Result("a", "row-1", None, Failure("timed_out", "silence"), Account("d", 1, partial="so far"))

        (copy,) = dedup.copies([failed])

    assert (copy.error, copy.hfgen.partial) == (failed.error, "so far")


def test_a_row_whose_first_has_no_result_stays_unrecorded() -> None:
    with Dedup() as dedup:
        dedup.first_of(job(1, COLD))
        dedup.hold(job(2, COLD), "row-1")

        assert len(dedup) == 1
        assert list(dedup.copies([])) == []


class Killed(Exception):
    pass


class Batch:
    """A batch as its runner plays it, of which every line that is recorded may be the last before it is killed."""

    def __init__(self, jobs: list[Job]) -> None:
        self.jobs = jobs
        self.recorded: list[Result] = []
        self.asked: list[str] = []

    def run(self, until: int) -> None:
        with Dedup() as dedup:
            for each in self.jobs:
                first = dedup.first_of(each)
                if each.custom_id in {result.custom_id for result in self.recorded}:
                    continue
                if first is not None:
                    dedup.hold(each, first)
                    continue
                self.asked.append(each.custom_id)
                self.record(answer(each), until)
            for copy in dedup.copies(list(self.recorded)):
                self.record(copy, until)

    def record(self, result: Result, until: int) -> None:
        self.recorded.append(result)
        if len(self.recorded) == until:
            raise Killed


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.sets(st.integers(1, 12)))
def test_every_row_is_recorded_once_and_each_question_asked_once_however_often_it_is_killed(
    prompts: list[str], kills: set[int]
) -> None:
    batch = Batch([job(row, {"prompt": prompt, "seed": 1}) for row, prompt in enumerate(prompts, 1)])
    for until in [*sorted(kills), 0]:
        try:
            batch.run(until)
        except Killed:
            continue

    assert sorted(result.hfgen.row for result in batch.recorded) == list(range(1, len(prompts) + 1))
    assert len(batch.asked) == len(set(prompts))
    texts = {result.hfgen.row: result.response for result in batch.recorded}
    for row, prompt in enumerate(prompts, 1):
        assert texts[row] == texts[prompts.index(prompt) + 1]
