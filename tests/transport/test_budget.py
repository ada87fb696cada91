"""What the retries of a process may cost a server that is down."""

import pytest

from hfgen.transport.retry import RetryBudget

CALLS = 50


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def retries(budget: RetryBudget, clock: Clock, wait: float) -> int:
    """How many are made by fifty calls, one after another, each of which wants three."""
    made = 0
    for _ in range(CALLS):
        for _ in range(3):
            clock.now += wait
            made += (paid := budget.take("http://a"))
            if not paid:
                break
    return made


@pytest.mark.parametrize("wait", [0.0, 1.0, 10.0, 59.0])
def test_at_a_server_that_fails_always_fifty_calls_send_at_most_seventy_five_requests(wait: float) -> None:
    clock = Clock()
    assert retries(RetryBudget(clock=clock), clock, wait) <= CALLS / 2


def test_another_server_has_a_budget_of_its_own() -> None:
    clock = Clock()
    budget = RetryBudget(clock=clock)
    retries(budget, clock, 1.0)
    assert not budget.take("http://a")
    assert budget.take("http://b")


def test_the_budget_comes_back_where_nothing_was_retried_for_a_while() -> None:
    clock = Clock()
    budget = RetryBudget(clock=clock)
    retries(budget, clock, 1.0)
    clock.now += 60 + 4
    assert [budget.take("http://a") for _ in range(2)] == [True, False]
    clock.now += 3600
    assert retries(budget, clock, 0.0) == 20


def test_answers_give_it_back_at_once() -> None:
    clock = Clock()
    budget = RetryBudget(clock=clock)
    retries(budget, clock, 1.0)
    for _ in range(5):
        budget.succeeded("http://a")
    assert [budget.take("http://a") for _ in range(2)] == [True, False]
    budget.succeeded("http://a", attempts=2)
    assert budget.take("http://a"), "a retry that led to an answer costs nothing"
