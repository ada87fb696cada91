"""Requests and tokens a minute."""

import pytest
from hypothesis import given, settings, strategies as st

from hfgen import UsageError
from hfgen.batch.pacing.allowance import Allowance, Need, Rates


def times(allowance: Allowance, needs: list[Need], used: list[Need], lasts: float = 0.0) -> list[float]:
    """When each row starts, if each starts as soon as it may; they end after a while."""
    now, starts, ends = 1000.0, list[float](), list[tuple[float, int, Need, Need]]()
    for need, spent in zip(needs, used, strict=True):
        for _ in range(200):
            while ends and ends[0][0] <= now:
                _, taken, before, really = ends.pop(0)
                allowance.settle(taken, before, really)
            wait = allowance.wait(need, now)
            if wait == 0:
                break
            now = min(now + wait, ends[0][0] if ends else now + wait)
        else:
            raise AssertionError("it hangs")
        ends.append((now + lasts, allowance.take(need, now), need, spent))
        starts.append(now)
    return starts


def most_in_a_minute(starts: list[float], amounts: list[int]) -> int:
    return max(
        sum(amount for at, amount in zip(starts, amounts, strict=True) if end - 60 < at <= end) for end in starts
    )


@pytest.mark.parametrize("rate", [0.5, 1, 7, 60, 100, 600, 6000])
def test_in_no_minute_are_there_more_requests_than_allowed(rate: float) -> None:
    rows = min(1000, int(rate * 5) + 2)
    starts = times(Allowance(Rates(requests=rate)), [Need()] * rows, [Need()] * rows)
    assert most_in_a_minute(starts, [1] * rows) <= max(1, rate)
    assert starts[-1] - starts[0] <= 1.05 * rows * 60 / rate


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900), st.floats(0, 1)), min_size=1, max_size=60),
    st.floats(0, 90),
)
def test_in_no_minute_are_more_tokens_used_than_allowed_and_nothing_hangs(
    rows: list[tuple[int, int, float]], lasts: float
) -> None:
    needs = [Need(first, second) for first, second, _ in rows]
    used = [Need(first, int(second * share)) for first, second, share in rows]
    starts = times(Allowance(Rates(tokens=2000)), needs, used, lasts)
    assert most_in_a_minute(starts, [need.total for need in used]) <= 2000


def test_a_row_of_several_requests_counts_as_so_many() -> None:
    rows = [Need(requests=4)] * 40
    starts = times(Allowance(Rates(requests=60)), rows, rows)
    assert most_in_a_minute(starts, [4] * 40) <= 64  # the last row of a minute begins in it, and goes whole
    assert starts[-1] - starts[0] <= 1.05 * 160


def test_prompts_and_answers_have_limits_of_their_own() -> None:
    allowance = Allowance(Rates(input_tokens=1000, output_tokens=100))
    allowance.take(Need(10, 90), 0.0)
    assert allowance.wait(Need(10, 10), 0.0) == 0
    assert allowance.wait(Need(10, 11), 0.0) == 61
    allowance.take(Need(990, 0), 1.0)
    assert allowance.wait(Need(1, 0), 1.0) == 60


def test_what_was_not_used_is_given_back_at_once_and_once() -> None:
    allowance = Allowance(Rates(tokens=1000))
    taken = allowance.take(Need(100, 900), 0.0)
    assert allowance.wait(Need(100, 400), 1.0) > 0
    allowance.settle(taken, Need(100, 900), Need(100, 100))
    assert allowance.wait(Need(100, 700), 1.0) == 0
    assert allowance.wait(Need(100, 701), 1.0) > 0


def test_what_is_settled_after_a_minute_changes_nothing() -> None:
    allowance = Allowance(Rates(tokens=1000))
    taken = allowance.take(Need(0, 900), 0.0)
    assert allowance.wait(Need(0, 900), 70.0) == 0
    allowance.take(Need(0, 900), 70.0)
    allowance.settle(taken, Need(0, 900), Need())
    assert allowance.wait(Need(0, 900), 71.0) > 0


def test_a_row_larger_than_a_minutes_allowance_goes_alone() -> None:
    starts = times(Allowance(Rates(tokens=100)), [Need(50, 5000)] * 3, [Need(50, 4000)] * 3, lasts=5)
    assert 60 <= starts[1] - starts[0] <= 61
    assert 60 <= starts[2] - starts[1] <= 61


def test_what_is_given_back_may_be_taken_again_and_no_more_than_that() -> None:
    allowance = Allowance(Rates(requests=60, tokens=1000))
    taken = allowance.take(Need(400, 600), 0.0)
    assert allowance.wait(Need(1), 0.0) > 0
    allowance.give_back(1, 1000, taken, 0.0)
    assert allowance.wait(Need(400, 600), 0.0) == 0
    allowance.give_back(5, 0, taken, 0.0)
    allowance.take(Need(), 0.0)
    assert allowance.wait(Need(), 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_limit_that_lets_nothing_pass_is_refused(rate: float) -> None:
    with pytest.raises(UsageError, match="output tokens a minute"):
        Allowance(Rates(output_tokens=rate))


def test_without_rates_nothing_waits() -> None:
    allowance = Allowance(Rates())
    allowance.take(Need(10**9, 10**9), 0.0)
    assert allowance.wait(Need(10**9, 10**9), 0.0) == 0
