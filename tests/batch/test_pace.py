"""The pace finds what a server bears, keeps to what it is told, and never stands still for good."""

import math
import random
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given, settings, strategies as st

from hfgen import BadRequest, ConnectionFailed, HfgenError, MissingAuth, PaymentRequired, RateLimited, ServerError
from hfgen.batch.pacing.allowance import Allowance, Rates
from hfgen.batch.pacing.pace import UNMET, Lane, Outcome, Pace, Ticket
from hfgen.batch.pacing.spending import Prices, Spending
from hfgen.errors import EndpointPaused, ModelLoading, StreamError, TimedOut
from hfgen.events import Usage
from hfgen.hub.offers import Offer, Pricing
from hfgen.wire import Head
from simulated import LANE, NEED, USAGE, Answer, Batching, Impatient, Limited, Loading, Noisy, Run, Server, Slots, Time

FIXED = (1, 2, 4, 8, 16, 32, 64, 128, 300, 512)
GOOD = Outcome(first_token=0.1, usage=USAGE)


def busy() -> HfgenError:
    return RateLimited("busy", status=429)


def busy_for_a_second() -> HfgenError:
    return RateLimited("busy", status=429, retry_after=1)


def failed() -> HfgenError:
    return ServerError("oops", status=500)


SERVERS: dict[str, tuple[Callable[[], Server], int]] = {
    "one slot": (lambda: Slots(1), 300),
    "three slots": (lambda: Slots(3), 500),
    "eight slots": (lambda: Slots(8), 1500),
    "64 slots": (lambda: Slots(64), 6000),
    "300 slots": (lambda: Slots(300), 15000),
    "slots, and half of the time until the first token": (lambda: Slots(16, seconds=1, first=1), 2000),
    "slots, and answers of very different lengths": (lambda: Slots(32, spread=0.8), 3000),
    "batches as vLLM makes them": (lambda: Batching(32), 3000),
    "large batches": (lambda: Batching(256), 8000),
    "a limit that tells when": (lambda: Limited(Slots(500), 600), 2000),
    "a limit that does not tell": (lambda: Limited(Slots(500), 600, tells=False), 2000),
    "a limit by fixed minutes": (lambda: Limited(Slots(500), 600, fixed=True), 2000),
    "a limit by fixed minutes that does not tell": (lambda: Limited(Slots(500), 600, fixed=True, tells=False), 2000),
    "a model that loads for a minute": (lambda: Loading(Slots(32), 1060, holds=False), 2500),
    "a model that loads, and requests are held": (lambda: Loading(Slots(32), 1060, holds=True), 2500),
    "failures now and then": (lambda: Noisy(Slots(64), 0.02, failed), 6000),
    "refusals now and then": (lambda: Noisy(Slots(64), 0.02, busy), 6000),
    "refusals now and then that ask for a second": (lambda: Noisy(Slots(64), 0.02, busy_for_a_second), 6000),
    "a time limit for the first token": (lambda: Impatient(Slots(8), 5), 1500),
}


def run(pace: Pace, server: Server, rows: int) -> tuple[float, Run]:
    random.seed(5)
    job = Run(pace, server, rows)
    return job.go(), job


@pytest.mark.parametrize("kind", SERVERS)
def test_a_job_takes_at_most_a_fifth_longer_than_with_the_best_fixed_number_of_slots(kind: str) -> None:
    make, rows = SERVERS[kind]
    seconds, job = run(Pace(), make(), rows)
    assert (job.recorded, job.failed) == (rows, 0)

    fixed = [run(Pace(most=most, fixed=True), make(), rows) for most in FIXED]
    best = min(time for time, job in fixed if job.recorded == rows and not job.failed)
    assert seconds <= best * 1.2


@pytest.mark.parametrize("slots", [3, 8, 32, 64])
def test_the_slots_settle_around_what_the_server_works_on_at_once(slots: int) -> None:
    _, job = run(Pace(), Slots(slots), slots * 150)
    later = [under_way for _, under_way in job.seen[len(job.seen) // 2 :]]
    assert slots / 2 <= sorted(later)[len(later) // 20]
    assert max(later) <= 3 * slots


def test_a_server_that_grows_slower_for_good_is_not_taken_for_a_crowd() -> None:
    server = Slots(64, seconds=2.0, first=0.1)
    pace = Pace(most=48)
    job = Run(pace, server, 6000)
    job.time.after(60, lambda: setattr(server, "first", 2.0))
    job.go()
    later = [under_way for _, under_way in job.seen[-2000:]]
    assert sorted(later)[len(later) // 2] == 48


def test_a_fixed_number_of_slots_is_kept_whatever_happens() -> None:
    pace = Pace(most=20, fixed=True)
    _, job = run(pace, Noisy(Slots(4), 0.1, failed), 1000)
    assert pace.slots == max(under_way for _, under_way in job.seen) == 20


def test_the_slots_never_exceed_the_ceiling_over_all_lanes() -> None:
    pace = Pace(first=8, most=10)
    lanes = [Lane("http://a", "m"), Lane("http://b", "m")]
    for lane in lanes * 20:
        if pace.ready(lane, NEED, 0.0) == 0:
            pace.start(lane, NEED, 0.0)
    assert pace.under_way == 10


def test_nobody_asks_before_the_time_that_the_server_named() -> None:
    pace = Pace()
    tickets = [pace.start(LANE, NEED, 0.0) for _ in range(4)]
    refusal = Outcome(RateLimited("busy", status=429, retry_after=30))
    told = pace.done(tickets[0], refusal, 1.0)
    assert (told.action, told.wait >= 30) == ("again", True)
    assert 30 <= pace.ready(LANE, NEED, 1.0) <= 31
    pace.done(tickets[1], GOOD, 2.0)
    assert 29 <= pace.ready(LANE, NEED, 2.0) <= 30
    assert pace.ready(Lane(LANE.server, "another"), NEED, 2.0) == 0
    assert pace.ready(LANE, NEED, 32.1) == 0


def test_a_row_that_waits_holds_no_slot() -> None:
    pace = Pace(first=1)
    ticket = pace.start(LANE, NEED, 0.0)
    assert pace.ready(LANE, NEED, 0.0) == math.inf
    assert pace.done(ticket, Outcome(ConnectionFailed("reset")), 0.5).action == "again"
    assert pace.under_way == 0
    assert pace.ready(LANE, NEED, 100.0) == 0


def test_a_burst_halves_the_slots_once_and_pauses_once() -> None:
    pace = Pace(first=64)
    tickets = [pace.start(LANE, NEED, 0.0) for _ in range(64)]
    for ticket in tickets:
        assert pace.done(ticket, Outcome(busy()), 1.0).action == "again"
    assert pace.slots == 32
    assert pace.ready(LANE, NEED, 1.0) <= 0.5


def test_after_two_bursts_one_row_goes_ahead_of_the_others() -> None:
    pace = Pace(first=8)
    for now in (0.0, 100.0):
        tickets = [pace.start(LANE, NEED, now) for _ in range(2)]
        for ticket in tickets:
            pace.done(ticket, Outcome(busy()), now + 1)
    probe = pace.start(LANE, NEED, 200.0)
    assert pace.ready(LANE, NEED, 200.0) == math.inf
    pace.done(probe, GOOD, 201.0)
    assert pace.ready(LANE, NEED, 201.0) == 0


@pytest.mark.parametrize("error", [MissingAuth("no", status=401), PaymentRequired("pay", status=402)])
def test_what_would_end_every_row_alike_stops_the_job(error: HfgenError) -> None:
    pace = Pace()
    assert pace.done(pace.start(LANE, NEED, 0.0), Outcome(error), 1.0).action == "stop"
    assert pace.done(pace.start(LANE, NEED, 0.0), Outcome(EndpointPaused("p", status=400)), 1.0).action == "stop"


def test_a_bad_row_is_recorded_and_slows_nobody() -> None:
    pace = Pace()
    for now in range(100):
        ticket = pace.start(LANE, NEED, now)
        assert pace.done(ticket, Outcome(BadRequest("what?", status=422)), now + 0.1).action == "record"
    assert pace.slots == 8
    assert pace.ready(LANE, NEED, 100.0) == 0


def test_a_row_that_fails_each_time_is_recorded_after_five_attempts() -> None:
    pace, attempts, sent = Pace(), 1, 0
    for now in range(0, 1000, 100):
        other = pace.start(LANE, NEED, now)
        ticket = pace.start(LANE, NEED, now, attempts)
        sent += 1
        pace.done(other, GOOD, now + 1)
        told = pace.done(ticket, Outcome(failed()), now + 1)
        attempts = told.attempts
        if told.action == "record":
            break
    assert sent == 5


def test_no_row_fails_by_a_server_that_is_full_or_down_for_minutes() -> None:
    class Down:
        """Nobody listens for five minutes."""

        def __init__(self) -> None:
            self.slots = Slots(8)

        def ask(self, time: Time, answer: Answer) -> None:
            if 1020 < time.now < 1320:
                time.after(0.01, lambda: answer(Outcome(ConnectionFailed("refused"))))
            else:
                self.slots.ask(time, answer)

    seconds, job = run(Pace(), Down(), 400)
    assert (job.recorded, job.failed) == (400, 0)
    assert len(job.starts) < 480
    assert seconds < 300 + 1.2 * 400 / 8 * 2.4


@pytest.mark.parametrize("error", [busy(), ModelLoading("loading", status=503)])
def test_a_server_that_refuses_for_a_quarter_of_an_hour_stops_the_job(error: HfgenError) -> None:
    class Never:
        def ask(self, time: Time, answer: Answer) -> None:
            time.after(0.01, lambda: answer(Outcome(error)))

    seconds, job = run(Pace(), Never(), 100)
    assert job.stopped
    assert job.recorded == 0
    assert 900 <= seconds < 1000
    assert len(job.starts) < 200


def test_a_wait_beyond_all_patience_stops_the_job_at_once() -> None:
    pace = Pace()
    error = RateLimited("come back tomorrow", status=429, retry_after=80_000)
    assert pace.done(pace.start(LANE, NEED, 0.0), Outcome(error), 1.0).action == "stop"


def test_the_repeats_of_a_job_are_a_tenth_of_its_requests_and_some() -> None:
    server = Noisy(Slots(64), 0.5, lambda: StreamError("cut"))
    _, job = run(Pace(), server, 2000)
    assert job.recorded == 2000
    assert job.pace.repeats.made <= 50 + 200
    assert job.failed > 0


def test_limits_of_requests_hold_in_every_minute() -> None:
    pace = Pace(allowance=Allowance(Rates(requests=120)))
    _, job = run(pace, Slots(500), 1000)
    assert worst(job.starts) <= 120
    assert job.starts[-1] - job.starts[0] <= 1.05 * 1000 / 2


def test_limits_of_tokens_hold_in_every_minute_and_what_was_not_used_is_given_back() -> None:
    pace = Pace(allowance=Allowance(Rates(tokens=15_000)))  # of 250 reserved and 150 used a row: 100 rows a minute
    _, job = run(pace, Slots(500), 1000)
    assert worst(job.starts) <= 100
    assert job.starts[-1] - job.starts[0] <= 1.1 * 600


def test_a_row_larger_than_the_allowance_goes_alone() -> None:
    pace = Pace(allowance=Allowance(Rates(tokens=100)))
    seconds, job = run(pace, Slots(500), 5)
    assert job.recorded == 5
    assert seconds <= 5 * 62


def test_what_a_header_says_is_left_is_not_exceeded() -> None:
    pace = Pace()
    headers = {"x-ratelimit-remaining-requests": "2", "x-ratelimit-reset-requests": "20s"}
    pace.heard(LANE, Head("http://server", "m", 200, headers), 0.0)
    pace.start(LANE, NEED, 0.0)
    pace.start(LANE, NEED, 0.0)
    assert pace.ready(LANE, NEED, 5.0) == 15
    assert pace.ready(LANE, NEED, 20.0) == 0


def test_the_hubs_limits_are_none_of_the_models() -> None:
    pace = Pace()
    pace.heard(LANE, Head("https://huggingface.co", "", 200, {"ratelimit": '"api";r=0;t=200'}), 0.0)
    assert pace.ready(LANE, NEED, 0.0) == 0


def test_the_bill_never_exceeds_its_bound_and_the_job_goes_on_as_long_as_a_row_fits() -> None:
    prices = {"m": Prices([Offer("a", pricing=Pricing(input=1.0, output=2.0))])}
    dearest, real = (50 + 400) / 1e6, (50 + 200) / 1e6
    spending = Spending(prices, most=0.05)
    job = Run(Pace(spending=spending), Slots(8), 1000)
    job.go()
    assert spending.high <= 0.05
    assert 0.05 - dearest <= spending.high
    assert job.recorded == pytest.approx(0.05 / real, abs=2)
    assert not job.pace.affordable(LANE, NEED)


def test_what_timed_out_may_have_cost_something_and_what_was_refused_did_not() -> None:
    pace = Pace(spending=Spending({"m": Prices([Offer("a", pricing=Pricing(input=1.0, output=2.0))])}))
    assert pace.done(pace.start(LANE, NEED, 0.0), Outcome(busy()), 1.0).cost == (0, 0)
    assert pace.done(pace.start(LANE, NEED, 0.0), Outcome(TimedOut("late")), 1.0).cost == (0, 450 / 1e6)
    told = pace.done(pace.start(LANE, NEED, 0.0), Outcome(StreamError("cut"), usage=Usage(50, 10)), 1.0)
    assert told.cost == (70 / 1e6, 70 / 1e6)


def test_a_row_that_was_left_gives_its_slot_back() -> None:
    pace = Pace(first=1)
    pace.left(pace.start(LANE, NEED, 0.0))
    assert pace.under_way == 0
    assert pace.ready(LANE, NEED, 0.0) == 0


def refused_until_the_job_stops(pace: Pace, error: HfgenError, now: float) -> float:
    """Seconds of nothing but this error."""
    began = now
    while True:
        now += pace.ready(LANE, NEED, now)
        ticket = pace.start(LANE, NEED, now, attempts=2)
        now += 1
        step = pace.done(ticket, Outcome(error), now)
        assert step.action != "record"
        if step.action == "stop":
            return now - began


def test_where_nobody_was_ever_met_the_job_ends_soon_and_no_row_is_blamed() -> None:
    assert UNMET <= refused_until_the_job_stops(Pace(), ConnectionFailed("refused"), 0.0) < UNMET + 60


def test_a_server_that_was_there_before_is_waited_for_longer() -> None:
    pace = Pace()
    pace.done(pace.start(LANE, NEED, 0.0), GOOD, 1.0)
    assert refused_until_the_job_stops(pace, ConnectionFailed("refused"), 2.0) > 600


def test_however_many_models_there_are_memory_is_bounded() -> None:
    pace = Pace()
    for number in range(5000):
        ticket = pace.start(Lane("http://server", f"m{number}"), NEED, number)
        pace.done(ticket, GOOD, number + 1)
    assert pace.slots <= 512


OUTCOMES = (
    GOOD,
    Outcome(usage=USAGE),
    Outcome(busy()),
    Outcome(busy_for_a_second()),
    Outcome(failed()),
    Outcome(ConnectionFailed("reset")),
    Outcome(TimedOut("late")),
    Outcome(StreamError("cut"), first_token=0.1),
    Outcome(BadRequest("what?", status=400)),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(OUTCOMES), st.floats(0, 5)), max_size=300), st.integers(1, 40))
def test_whatever_a_server_answers_a_row_can_start_in_the_end(events: list[tuple[Outcome, float]], most: int) -> None:
    pace, now = Pace(most=most, allowance=Allowance(Rates(requests=6000, tokens=100_000))), 0.0
    under_way: deque[Ticket] = deque()
    for outcome, later in events:
        now += later
        while (wait := pace.ready(LANE, NEED, now)) == 0:
            under_way.append(pace.start(LANE, NEED, now))
        assert len(under_way) == pace.under_way <= most
        if under_way:
            pace.done(under_way.popleft(), outcome, now)
        else:
            assert wait < 100
    assert 1 <= pace.slots <= most
    for ticket in under_way:
        pace.left(ticket)
    assert pace.ready(LANE, NEED, now) < 100
    assert pace.ready(LANE, NEED, now + 100) == 0


def worst(starts: list[float]) -> int:
    """The most starts in any minute."""
    most, first = 0, 0
    for last, at in enumerate(starts):
        while starts[first] <= at - 60:
            first += 1
        most = max(most, last - first + 1)
    return most
