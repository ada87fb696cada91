"""Which failures are repeated, and how many."""

import pytest

from hfgen import (
    BadRequest,
    ConnectionFailed,
    HfgenError,
    MissingAuth,
    ModelNotSupportedError,
    PaymentRequired,
    RateLimited,
    ServerError,
    TruncatedStream,
)
from hfgen.answers import error_of_answer
from hfgen.batch.pacing.repeats import Fate, Repeats, fate_of, is_load
from hfgen.errors import EndpointPaused, PromptError, TimedOut


@pytest.mark.parametrize(
    ("status", "fate"),
    [(400, "record"), (404, "record"), (413, "record"), (422, "record")]
    + [(401, "stop"), (402, "stop"), (403, "stop")]
    + [(status, "again") for status in (408, 409, 425, 429, 500, 502, 503, 504, 529)]
    + [(501, "record")],
)
def test_a_status_decides_what_becomes_of_a_row(status: int, fate: Fate) -> None:
    assert fate_of(error_of_answer(status, {}, b'{"error":"no"}')) == fate


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (ConnectionFailed("reset"), "again"),
        (ConnectionFailed("no such host", lasting=True), "record"),
        (TimedOut("late"), "again"),
        (TruncatedStream("cut"), "again"),
        (PromptError("no"), "record"),
        (ModelNotSupportedError("no"), "record"),
        (BadRequest("no", status=400), "record"),
        (MissingAuth("no", status=401), "stop"),
        (PaymentRequired("no", status=402), "stop"),
        (EndpointPaused("paused", status=400), "stop"),
    ],
)
def test_so_does_a_failure_without_one(error: HfgenError, fate: Fate) -> None:
    assert fate_of(error) == fate


def test_a_server_that_is_full_has_done_no_work() -> None:
    assert is_load(RateLimited("busy", status=429))
    assert is_load(error_of_answer(503, {"Retry-After": "3"}, b"full"))
    assert not is_load(error_of_answer(503, {}, b"oops"))
    assert not is_load(ServerError("oops", status=500, retry_after=1))


def test_repeats_are_a_share_of_the_requests_and_a_floor() -> None:
    repeats = Repeats(share=0.1, floor=3)
    for _ in range(20):
        repeats.asked()
    assert [repeats.take(1) for _ in range(6)] == [True] * 5 + [False]
    assert repeats.made == 5


def test_one_row_has_so_many_attempts() -> None:
    repeats = Repeats(most=3)
    assert [repeats.take(attempts) for attempts in (1, 2, 3)] == [True, True, False]


def test_the_wait_is_drawn_below_a_bound_that_doubles() -> None:
    repeats = Repeats(draw=lambda _, high: high)
    assert [repeats.wait(attempts, None) for attempts in (1, 2, 3, 8)] == [0.5, 1, 2, 30]
    assert repeats.wait(1, 20.0) == 20
