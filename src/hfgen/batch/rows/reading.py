"""Something to iterate over, read in a thread of its own: parsing and waiting for a disk hold up no answer.

Two blocks of rows at most are in memory: one that is taken from, and one that is filled meanwhile.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_BLOCK: Final = 256


async def read(items: Iterable[T], wanted: Callable[[T], bool] = lambda _: True) -> AsyncGenerator[T, None]:
    """The items that are wanted, in their order.

    The thread is a daemon: one that waits for a terminal that says nothing holds up no exit.

    Args:
        items: Read in the thread; a generator is closed there too.
        wanted: Asked in the thread too.
    """
    shelf: _Shelf[T] = _Shelf(asyncio.get_running_loop())
    threading.Thread(target=shelf.fill, args=(items, wanted), name="hfgen-batch-input", daemon=True).start()
    try:
        while block := await shelf.block():
            for item in block:
                yield item
    finally:
        shelf.leave()
    if shelf.error is not None:
        raise shelf.error


class _Shelf(Generic[T]):
    """Where the thread puts what it has read; a deque needs no lock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.error: BaseException | None = None
        self._loop = loop
        self._items: deque[T] = deque()
        self._arrived = asyncio.Event()
        self._room = threading.Event()
        self._asking = threading.Lock()
        self._told = False
        self._over = False
        self._left = False

    async def block(self) -> list[T]:
        """What has been read since, at least one; none at the end."""
        while True:
            self._told = False
            if block := [self._items.popleft() for _ in range(len(self._items))]:
                self._room.set()
                return block
            if self._over and not self._items:
                return []
            await self._arrived.wait()
            self._arrived.clear()

    def leave(self) -> None:
        """Nobody takes anything any more; from now on the thread asks nobody what is wanted."""
        with self._asking:
            self._left = True
        self._room.set()

    def fill(self, items: Iterable[T], wanted: Callable[[T], bool]) -> None:
        """Read until the end, or until nobody takes anything any more."""
        try:
            for item in items:
                with self._asking:
                    if self._left:
                        break
                    taken = wanted(item)
                if taken:
                    self._put(item)
        except BaseException as error:  # noqa: BLE001 - it is raised where the items are taken
            self.error = error
        finally:
            if isinstance(items, Generator):
                items.close()
            self._over = True
            self._tell()

    def _put(self, item: T) -> None:
        while len(self._items) >= _BLOCK and not self._left:
            self._room.clear()
            if len(self._items) >= _BLOCK:
                self._room.wait()
        self._items.append(item)
        self._tell()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            try:
                self._loop.call_soon_threadsafe(self._arrived.set)
            except RuntimeError:  # the loop is closed: nobody is there to be told
                self._left = True
