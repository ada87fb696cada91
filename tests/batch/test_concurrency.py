"""Slots: when they grow, and what halves them."""

from hfgen.batch.pacing.concurrency import Concurrency, Slot


def filled(slots: Concurrency) -> list[Slot]:
    return [slots.start() for _ in range(slots.slots - slots.under_way)]


def window(slots: Concurrency, first_token: float = 0.1, seconds: float = 2.0) -> None:
    for slot in filled(slots):
        slots.answered(slot, first_token, seconds)


def test_the_slots_double_in_each_window_at_first() -> None:
    slots = Concurrency(first=8, most=100)
    seen: list[int] = []
    for _ in range(5):
        window(slots)
        seen.append(slots.slots)
    assert seen == [16, 32, 64, 100, 100]


def test_they_do_not_grow_while_they_are_not_all_used() -> None:
    slots = Concurrency(first=8)
    for _ in range(100):
        slots.answered(slots.start(), 0.1, 2.0)
    assert slots.slots == 8


def test_after_a_cut_they_come_back_to_nearly_as_many_and_then_grow_slowly() -> None:
    slots = Concurrency(first=40)
    for slot in filled(slots):
        slots.refused(slot)
    assert slots.slots == 20
    window(slots)
    assert slots.slots == 36
    window(slots)
    assert slots.slots in (37, 38)


def test_one_refusal_among_many_answers_is_no_burst() -> None:
    slots = Concurrency(first=64)
    lonely, *others = filled(slots)
    assert not slots.refused(lonely)
    for slot in others:
        slots.answered(slot, 0.1, 2.0)
    assert slots.slots >= 64


def test_a_single_slot_takes_its_one_refusal_for_a_burst_and_stays() -> None:
    slots = Concurrency(first=1, most=1)
    assert slots.refused(slots.start())
    assert slots.slots == 1


def test_what_was_under_way_at_a_cut_tells_of_the_same_moment() -> None:
    slots = Concurrency(first=40)
    bursts = [slots.refused(slot) for slot in filled(slots)]
    assert bursts.count(True) == 1
    assert slots.slots == 20


def test_a_first_token_that_takes_twice_as_long_halves_them_at_least() -> None:
    slots = Concurrency(first=32, most=32)
    window(slots, first_token=1.0, seconds=2.0)
    window(slots, first_token=2.5, seconds=3.5)
    assert 1 <= slots.slots <= 16


def test_a_short_queue_is_let_be() -> None:
    slots = Concurrency(first=32, most=32)
    window(slots, first_token=0.1, seconds=4.0)
    window(slots, first_token=0.9, seconds=4.8)
    assert slots.slots == 32


def test_where_fewer_slots_do_not_help_the_wait_is_the_new_normal() -> None:
    slots = Concurrency(first=32, most=32)
    window(slots, first_token=1.0, seconds=2.0)
    for _ in range(12):
        window(slots, first_token=3.0, seconds=4.0)
    assert slots.slots == 32


def test_answers_without_a_known_first_token_change_nothing_but_the_growth() -> None:
    slots = Concurrency(first=8)
    for slot in filled(slots):
        slots.answered(slot, None, 2.0)
    assert slots.slots == 16


def test_a_slot_that_tells_nothing_is_only_given_back() -> None:
    slots = Concurrency(first=1)
    slots.start()
    slots.release()
    assert (slots.under_way, slots.slots) == (0, 1)
