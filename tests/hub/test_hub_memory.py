"""What is found out once: for how long, how much of it, and by how many flights."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from hfgen.errors import ConnectionFailed
from hfgen.hub.memory import Memory, fingerprint


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Something slow: each call waits until it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> str:
        self.calls += 1
        self.asked.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return f"value {self.calls}"


def memory(most: int = 10, clock: Clock | None = None) -> Memory[str, str]:
    return Memory(most, lambda _: 600.0, clock or Clock())


def gives(value: str) -> Callable[[], Coroutine[None, None, str]]:
    async def load() -> str:
        return value

    return load


async def test_a_value_is_found_out_once() -> None:
    known = memory()
    assert [await known.get("a", gives("first")), await known.get("a", gives("second"))] == ["first", "first"]


async def test_a_value_grows_old() -> None:
    clock = Clock()
    known = memory(clock=clock)
    await known.get("a", gives("first"))
    clock.now = 599.9
    assert known.find("a") == "first"
    clock.now = 600.0
    assert known.find("a") is None
    assert await known.get("a", gives("second")) == "second"


async def test_the_least_recently_used_value_goes_first() -> None:
    known = memory(most=2)
    known.put("a", "1")
    known.put("b", "2")
    known.find("a")
    known.put("c", "3")
    assert known.known() == ["a", "c"]


async def test_a_failure_is_never_kept() -> None:
    known, source = memory(), Source()
    source.error = ConnectionFailed("gone")
    source.gate.set()
    with pytest.raises(ConnectionFailed):
        await known.get("a", source)
    source.error = None
    assert await known.get("a", source) == "value 2"


async def test_callers_at_the_same_time_share_one_flight() -> None:
    known, source = memory(), Source()
    callers = [asyncio.create_task(known.get("a", source)) for _ in range(20)]
    await source.asked.wait()
    source.gate.set()
    assert await asyncio.gather(*callers) == ["value 1"] * 20
    assert source.calls == 1
    assert not known._flights


async def test_different_keys_fly_apart() -> None:
    known = memory()
    both = await asyncio.gather(known.get("a", gives("A")), known.get("b", gives("B")))
    assert tuple(both) == ("A", "B")


async def test_one_caller_that_is_cancelled_leaves_the_others_undisturbed() -> None:
    known, source = memory(), Source()
    first = asyncio.create_task(known.get("a", source))
    await source.asked.wait()
    second = asyncio.create_task(known.get("a", source))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.gate.set()
    assert await second == "value 1"


async def test_a_flight_that_fails_because_its_owner_left_is_flown_again_by_the_next() -> None:
    known, source = memory(), Source()
    first = asyncio.create_task(known.get("a", source))
    await source.asked.wait()
    second = asyncio.create_task(known.get("a", gives("mine")))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.error = ConnectionFailed("the owner closed its session")
    source.gate.set()
    assert await second == "mine"


async def test_all_who_share_a_flight_hear_why_it_failed() -> None:
    known, source = memory(), Source()
    source.error = ConnectionFailed("gone")
    callers = [asyncio.create_task(known.get("a", source)) for _ in range(3)]
    await source.asked.wait()
    source.gate.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionFailed] * 3
    assert source.calls == 1


async def test_when_everybody_has_left_the_flight_is_called_off() -> None:
    known, source = memory(), Source()
    caller = asyncio.create_task(known.get("a", source))
    await source.asked.wait()
    flight = next(iter(known._flights.values()))
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not known._flights
    await asyncio.wait((flight.task,))
    assert flight.task.cancelled()
    assert known.find("a") is None


def test_each_event_loop_flies_its_own_and_all_share_what_was_found() -> None:
    known = memory()
    assert asyncio.run(known.get("a", gives("first"))) == "first"
    assert asyncio.run(known.get("a", gives("second"))) == "first"


def test_a_fingerprint_tells_tokens_apart_and_holds_none() -> None:
    assert fingerprint(None) == fingerprint("") == ""
    assert fingerprint("hf_one") == fingerprint("hf_one") != fingerprint("hf_two")
    assert "hf_one" not in fingerprint("hf_one")
