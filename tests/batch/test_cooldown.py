"""One pause for all that ask one server."""

from hfgen.batch.pacing.cooldown import Cooldown


def longest(low: float, high: float) -> float:
    assert low == 0.0
    return high


def test_what_the_server_asks_is_kept_and_a_little_more() -> None:
    cooldown = Cooldown(longest)
    cooldown.refused(began=0.0, now=1.0, asked=20.0)
    assert cooldown.wait(1.0) == 21.0
    assert cooldown.wait(21.0) == 1.0
    assert cooldown.wait(30.0) == 0.0


def test_without_a_word_it_doubles_from_burst_to_burst_up_to_half_a_minute() -> None:
    cooldown, now, waits = Cooldown(longest), 0.0, list[float]()
    for _ in range(9):
        cooldown.refused(now, now, None)
        waits.append(cooldown.wait(now))
        now += waits[-1]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_many_refusals_of_one_burst_pause_once() -> None:
    cooldown = Cooldown(longest)
    for number in range(100):
        cooldown.refused(began=number / 1000, now=1.0, asked=None)
    assert (cooldown.wait(1.0), cooldown.bursts) == (0.5, 1)


def test_the_latest_moment_that_a_burst_names_counts() -> None:
    cooldown = Cooldown(lambda low, _: low)
    for asked in (5.0, 7.0, 6.0):
        cooldown.refused(began=0.0, now=1.0, asked=asked)
    assert cooldown.wait(1.0) == 7.0


def test_an_answer_to_what_was_asked_before_the_burst_ends_nothing() -> None:
    cooldown = Cooldown(longest)
    cooldown.refused(began=0.0, now=1.0, asked=None)
    cooldown.answered(began=0.5)
    assert cooldown.bursts == 1
    cooldown.answered(began=2.0)
    assert cooldown.bursts == 0


def test_how_long_there_were_nothing_but_refusals_is_known() -> None:
    cooldown = Cooldown(longest)
    assert cooldown.refusing(5.0) == 0.0
    cooldown.refused(0.0, 10.0, None)
    cooldown.refused(20.0, 21.0, None)
    assert cooldown.refusing(30.0) == 20.0
    cooldown.answered(31.0)
    assert cooldown.refusing(40.0) == 0.0


def test_a_lonely_wish_to_wait_is_no_burst_and_yet_a_refusal() -> None:
    cooldown = Cooldown(longest)
    cooldown.asked(10.0, 5.0)
    assert (cooldown.wait(10.0), cooldown.bursts, cooldown.refusing(12.0)) == (5.0, 0, 2.0)
    cooldown.answered(began=9.0)
    assert (cooldown.wait(12.0), cooldown.refusing(12.0)) == (3.0, 0.0)


def test_however_many_bursts_there_are_the_numbers_stay_numbers() -> None:
    cooldown = Cooldown(longest)
    for now in range(5000):
        cooldown.refused(now, now, None)
    assert cooldown.wait(5000) <= 30
