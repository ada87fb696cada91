"""What headers say of limits, in the forms of several services."""

import pytest
from hypothesis import given, strategies as st

from hfgen.batch.pacing.allowance import Need
from hfgen.batch.pacing.told_limits import ToldLimits

NONE = Need()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 300),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2m59.56s"}, 179.56),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20ms"}, 0.02),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "7"}, 7),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, 12),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "12"}, 12),
        ({"ratelimit": '"api";r=0;t=295'}, 295),
        ({"ratelimit": '"day";r=900;t=3600, "minute";r=0;t=20'}, 20),
        ({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "60s"}, 0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1764050000"}, 0),
        ({"x-ratelimit-remaining": "0"}, 0),
        ({"x-ratelimit-remaining": "no", "x-ratelimit-reset": "-1"}, 0),
        ({"ratelimit-policy": '"api";q=1000;w=300'}, 0),
        ({}, 0),
    ],
)
def test_a_server_that_has_nothing_left_is_not_asked_before_its_reset(headers: dict[str, str], wait: float) -> None:
    told = ToldLimits()
    told.heard(headers, 100.0)
    assert told.wait(NONE, 100.0) == pytest.approx(wait)
    assert told.wait(NONE, 100.0 + 301) == 0


def test_tokens_are_counted_down_until_the_reset() -> None:
    told = ToldLimits()
    told.heard({"x-ratelimit-remaining-tokens": "1000", "x-ratelimit-reset-tokens": "30s"}, 0.0)
    told.take(Need(300, 300))
    assert told.wait(Need(200, 200), 1.0) == 0
    assert told.wait(Need(200, 201), 1.0) == 29


def test_an_older_answer_does_not_raise_what_is_left() -> None:
    told = ToldLimits()
    told.heard({"x-ratelimit-remaining": "2", "x-ratelimit-reset": "30"}, 0.0)
    told.take(NONE)
    told.take(NONE)
    told.heard({"x-ratelimit-remaining": "2", "x-ratelimit-reset": "30"}, 0.1)
    assert told.wait(NONE, 0.1) > 0


def test_a_bucket_that_fills_is_believed() -> None:
    told = ToldLimits()
    told.heard({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "60s"}, 0.0)
    told.heard({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "50s"}, 5.0)
    assert told.wait(NONE, 5.0) == 0


def test_a_row_larger_than_all_that_is_left_waits_no_longer_than_the_reset() -> None:
    told = ToldLimits()
    told.heard({"x-ratelimit-remaining-tokens": "100", "x-ratelimit-reset-tokens": "30s"}, 0.0)
    assert told.wait(Need(5000, 5000), 0.0) == 30
    assert told.wait(Need(5000, 5000), 30.0) == 0


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_a_header_says_it_is_read_or_ignored(left: str, reset: str) -> None:
    told = ToldLimits()
    for name in ("x-ratelimit-remaining", "x-ratelimit-remaining-tokens", "ratelimit"):
        told.heard({name: left, "x-ratelimit-reset": reset, "x-ratelimit-reset-tokens": reset}, 0.0)
    assert 0 <= told.wait(Need(10, 10), 0.0) <= 300
