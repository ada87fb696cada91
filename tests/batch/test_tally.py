"""Where a batch stands, by a clock that the test turns."""

import msgspec
import pytest

from hfgen import UsageError
from hfgen.batch.ends import Ends
from hfgen.batch.pacing.spending import Cost
from hfgen.batch.result import Account, Failure, Response, Result
from hfgen.batch.tally import Tally


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def answer(cost: float | None = 0.01, tokens: int = 10, attempts: int = 1, resumed: int = 0) -> Result:
    account = Account("", 1, attempts=attempts, resumed=resumed, prompt_tokens=5, completion_tokens=tokens, cost=cost)
    return Result("", "", Response(200, "", msgspec.Raw(b"{}")), None, account)


def failure() -> Result:
    return Result("", "", None, Failure("timed_out", "…"), Account("", 1, attempts=4))


def test_it_counts_what_is_done_failed_retried_and_resumed() -> None:
    tally = Tally(10, Clock())
    tally.skip(2)
    for result in (answer(), answer(attempts=3, resumed=1), failure()):
        tally.add(result)

    now = tally.standing()
    assert (now.total, now.finished_before, now.done, now.failed) == (10, 2, 2, 1)
    assert (now.retried, now.resumed, now.prompt_tokens, now.completion_tokens) == (5, 1, 10, 20)


def test_speed_is_that_of_the_last_half_minute() -> None:
    clock = Clock()
    tally = Tally(None, clock)
    for _ in range(100):
        clock.now += 1
        tally.add(answer(tokens=7))
    slow = tally.standing()
    for _ in range(400):
        clock.now += 0.1
        tally.add(answer(tokens=7))
    quick = tally.standing()

    assert slow.rows_per_second == pytest.approx(1.0, rel=0.05)
    assert slow.tokens_per_second == pytest.approx(7.0, rel=0.05)
    assert quick.rows_per_second == pytest.approx(10.0, rel=0.05)


def test_a_batch_that_stands_still_has_no_speed_and_no_time_left() -> None:
    clock = Clock()
    tally = Tally(5, clock)
    tally.add(answer())
    clock.now += 3600

    now = tally.standing()
    assert now.rows_per_second < 0.001
    assert Tally(5, clock).standing().seconds_left is None


def test_time_left_and_the_whole_price_follow_from_the_rows_that_are_left() -> None:
    clock = Clock()
    tally = Tally(40, clock)
    tally.skip(20)
    for _ in range(10):
        clock.now += 1
        tally.add(answer(cost=0.5))

    now = tally.standing()
    assert now.spent == pytest.approx(Cost(5.0, 5.0))
    assert now.projected == pytest.approx(Cost(10.0, 10.0))
    assert now.seconds_left == pytest.approx(10.0, rel=0.05)


def test_a_price_that_is_not_known_is_never_zero() -> None:
    tally = Tally(2, Clock())
    tally.add(answer(cost=0.5))
    tally.add(answer(cost=None))

    assert tally.standing().spent is None
    assert tally.standing().projected is None


def test_where_a_price_is_a_range_so_is_the_bill() -> None:
    tally = Tally(4, Clock())
    tally.add(answer(cost=0.5))
    ranged = answer(cost=None)
    tally.add(msgspec.structs.replace(ranged, hfgen=msgspec.structs.replace(ranged.hfgen, costs=(0.1, 0.3))))

    assert tally.standing().spent == pytest.approx(Cost(0.6, 0.8))
    assert tally.standing().projected == pytest.approx(Cost(1.2, 1.6))


def test_without_a_total_nobody_says_what_is_left() -> None:
    clock = Clock()
    tally = Tally(None, clock)
    clock.now += 1
    tally.add(answer())

    now = tally.standing()
    assert (now.total, now.seconds_left, now.projected) == (None, None, None)


def test_it_forgets_what_is_no_longer_in_the_window() -> None:
    clock = Clock()
    tally = Tally(None, clock)
    for _ in range(100_000):
        clock.now += 0.5
        tally.add(answer())

    assert len(tally._steps) < 50


def tallied(done: int, failed: int, cost: float | None = 0.0) -> Tally:
    tally = Tally(None, Clock())
    for _ in range(done):
        tally.add(answer(cost))
    for _ in range(failed):
        tally.add(failure())
    return tally


@pytest.mark.parametrize(
    ("allowed", "done", "failed", "stops"),
    [
        (0, 0, 1, True),
        (3, 0, 3, False),
        ("3", 0, 4, True),
        ("5%", 5, 5, False),  # too few rows to speak of a share
        ("5%", 95, 5, False),
        ("5%", 94, 6, True),
        ("0.5%", 300, 2, True),
        (None, 0, 1000, False),
    ],
)
def test_so_many_rows_may_fail(allowed: int | str | None, done: int, failed: int, stops: bool) -> None:
    reached = Ends.of(None, None, allowed).reached(tallied(done, failed))

    assert (reached is not None) is stops


def test_a_limit_of_cost_is_kept() -> None:
    ends = Ends.of(None, 1.0, None)

    assert ends.reached(tallied(9, 0, 0.1)) is None
    stopped = ends.reached(tallied(11, 0, 0.1))
    assert stopped is not None
    assert (stopped.reason, stopped.exit_code) == ("cost", 3)


@pytest.mark.parametrize("wrong", ["many", "-1", "101%", "1.5", "%", ""])
def test_what_is_no_number_of_errors_is_told(wrong: str) -> None:
    with pytest.raises(UsageError, match="max_errors"):
        Ends.of(None, None, wrong)
