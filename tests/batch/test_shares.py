"""Shares of an input are disjoint, complete and even."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hfgen.batch.rows.input import Jobs, Reading
from hfgen.batch.rows.shard import Shard
from hfgen.errors import UsageError


@given(st.integers(1, 40), st.integers(0, 500))
def test_each_row_is_in_one_share_and_no_share_is_larger_than_another_by_more_than_one(of: int, rows: int) -> None:
    shares = [[row for row in range(1, rows + 1) if Shard(index, of).has(row)] for index in range(1, of + 1)]

    assert sorted(row for share in shares for row in share) == list(range(1, rows + 1))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_share_is_written_as_a_fraction() -> None:
    assert Shard.parse(" 2/4 ") == Shard(2, 4)


@pytest.mark.parametrize("wrong", ["", "0/4", "5/4", "1", "1/0", "a/b", "-1/4", "1/4/2"])
def test_what_is_no_share_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="write i/n"):
        Shard.parse(wrong)


def rows_of(file: Path, reading: Reading) -> list[int]:
    with Jobs(str(file), reading) as jobs:
        return [job.row for job in jobs]


def test_a_limit_is_of_the_input_and_shared_out(tmp_path: Path) -> None:
    file = tmp_path / "in.txt"
    file.write_text("Hi\n" * 10, encoding="utf-8")

    assert rows_of(file, Reading(limit=3)) == [1, 2, 3]
    assert rows_of(file, Reading(limit=5, shard=Shard(2, 2))) == [2, 4]
    assert rows_of(file, Reading(limit=99)) == list(range(1, 11))


def test_a_share_may_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("Hi\n", encoding="utf-8")

    assert rows_of(tmp_path / "in.txt", Reading(shard=Shard(2, 2))) == []
