"""Whose rows are whose."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hfgen.batch.bad_row import BadRow
from hfgen.batch.cluster.custody import Custody
from hfgen.batch.job import Job
from hfgen.batch.result import Account, Result


def job(row: int) -> Job:
    return Job.of(f"r{row}", "/v1/chat/completions", b"{}", row)


def result(row: int) -> Result:
    return Result("id", f"r{row}", None, None, Account("digest", row))


async def rows(count: int) -> AsyncIterator[Job | BadRow]:
    for row in range(count):
        yield job(row)


async def no_bad(row: BadRow) -> None:
    raise AssertionError(row)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["give", "take", "die"]), st.integers(1, 40))))
async def test_a_row_leaves_once_whoever_dies_and_whatever_comes_late(steps: list[tuple[str, str, int]]) -> None:
    custody, left = Custody(no_bad), list[int]()
    await custody.read(rows(100))
    had: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for worker, step, count in steps:
        if step == "give":
            had[worker] += [each.row for each in custody.give(worker, count)]
        elif step == "take":
            left += [row for row in had[worker][:count] if custody.take(worker, result(row))]
        else:
            custody.lost(worker)
    for worker in had:
        custody.lost(worker)
    while given := custody.give("last", 7):
        left += [each.row for each in given if custody.take("last", result(each.row))]
    assert sorted(left) == list(range(100))
    assert custody.done


async def test_what_was_lost_goes_before_what_is_new_and_in_its_order() -> None:
    custody = Custody(no_bad)
    await custody.read(rows(6))
    custody.give("a", 3)
    assert custody.lost("a") == 3
    assert [each.row for each in custody.give("b", 9)] == [0, 1, 2, 3, 4, 5]
    assert not custody.more


async def test_large_rows_are_given_a_few_at_a_time() -> None:
    async def large() -> AsyncIterator[Job | BadRow]:
        for row in range(6):
            yield Job(f"r{row}", "/v1/chat/completions", bytes(3 * 2**20), "digest", row)

    custody = Custody(no_bad)
    await custody.read(large())
    assert [len(custody.give("a", 100)) for _ in range(3)] == [3, 3, 0]


async def test_rows_that_cannot_be_read_are_an_error_and_end_the_reading() -> None:
    async def broken() -> AsyncIterator[Job | BadRow]:
        yield job(1)
        raise ValueError("torn")

    custody = Custody(no_bad)
    with pytest.raises(ValueError, match="torn"):
        await custody.read(broken())
    assert custody.read_all
    assert custody.any


async def test_bad_rows_are_told_and_given_to_nobody() -> None:
    told: list[Any] = []

    async def bad(row: BadRow) -> None:
        told.append(row.row)

    async def mixed() -> AsyncIterator[Job | BadRow]:
        yield BadRow.of("x", b"raw", 1, "no prompt")
        yield job(2)

    custody = Custody(bad)
    await custody.read(mixed())
    assert told == [1]
    assert [each.row for each in custody.give("a", 9)] == [2]
