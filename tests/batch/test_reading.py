"""Rows are read in a thread: in order, all of them, and not far ahead."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings, strategies as st

from hfgen.batch.rows.reading import read


@given(st.lists(st.integers(), max_size=2000), st.sets(st.integers(0, 6)))
@settings(max_examples=30, deadline=None)
def test_every_wanted_item_comes_once_and_in_order(items: list[int], digits: set[int]) -> None:
    async def taken() -> list[int]:
        return [item async for item in read(items, lambda item: item % 7 in digits)]

    assert asyncio.run(taken()) == [item for item in items if item % 7 in digits]


async def test_few_items_are_read_ahead_of_who_takes_them() -> None:
    seen: list[int] = []

    def endless() -> Iterator[int]:
        for number in range(10**9):
            seen.append(number)
            yield number

    items = read(endless())
    for _ in range(1000):
        await anext(items)
    await items.aclose()

    assert len(seen) <= 1000 + 3 * 256


async def test_an_item_is_there_at_once_though_the_next_is_not() -> None:
    more = threading.Event()

    def slow() -> Iterator[str]:
        yield "first"
        more.wait(10)
        yield "second"

    items = read(slow())
    assert await anext(items) == "first"
    more.set()
    assert await anext(items) == "second"
    await items.aclose()


async def test_what_breaks_the_input_is_raised_after_what_came_before() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    taken = []
    with pytest.raises(OSError, match="the disk is gone"):
        async for item in read(broken()):
            taken.append(item)
    assert taken == [1]


async def test_a_generator_is_closed_by_who_leaves_early() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.set()

    items = read(endless())
    await anext(items)
    await items.aclose()

    assert await asyncio.to_thread(closed.wait, 10)


async def test_nobody_waits_for_a_terminal_that_says_nothing() -> None:
    silent = threading.Event()

    def terminal() -> Iterator[int]:
        yield 1
        silent.wait(30)

    items = read(terminal())
    await anext(items)
    async with asyncio.timeout(5):
        await items.aclose()
    silent.set()
