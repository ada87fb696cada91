"""What was found out once: bounded, for a while, and asked for by one flight however many wait for it."""

import asyncio
import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from hfgen.errors import HfgenError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_SALT: Final = secrets.token_bytes(16)


def fingerprint(token: str | None) -> str:
    """Tells who asks without keeping the token: keyed for this process only, "" for nobody."""
    return hashlib.blake2b(token.encode(), key=_SALT, digest_size=16).hexdigest() if token else ""


@dataclass(slots=True)
class _Flight(Generic[V]):
    task: "asyncio.Task[V]"
    waiting: int = 0
    orphaned: bool = False
    """Whether the caller whose session it flies on has left."""


class Memory(Generic[K, V]):
    """Values by key, the least recently used dropped first. Failures are never kept.

    Args:
        most: How many values are kept.
        lifetime: Seconds for which a value is good.
        clock: Seconds that only ever grow.
    """

    def __init__(self, most: int, lifetime: Callable[[V], float], clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._lifetime = lifetime
        self._clock = clock
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()
        # A flight belongs to its event loop; the values are shared by all of them.
        self._flights: dict[tuple[asyncio.AbstractEventLoop, K], _Flight[V]] = {}
        self._lock = threading.Lock()

    def find(self, key: K) -> V | None:
        """The value, unless it is unknown or too old."""
        with self._lock:
            until, value = self._values.get(key, (0.0, None))
            if value is None or self._clock() >= until:
                self._values.pop(key, None)
                return None
            self._values.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> None:
        """Keep a value from now on."""
        with self._lock:
            self._values[key] = (self._clock() + self._lifetime(value), value)
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)

    def known(self) -> list[K]:
        """The keys of the values that are still good, the least recently used first."""
        with self._lock:
            now = self._clock()
            return [key for key, (until, _) in self._values.items() if now < until]

    def forget(self, key: K) -> None:
        """Drop a value."""
        with self._lock:
            self._values.pop(key, None)

    def clear(self) -> None:
        """Drop them all."""
        with self._lock:
            self._values.clear()

    async def get(self, key: K, load: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The value kept, else what `load` finds out; callers at the same time share one `load`.

        A caller that is cancelled leaves the others undisturbed: where its session closes under the shared flight,
        the next caller starts one of its own.
        """
        while (value := self.find(key)) is None:
            flight = self._flights.get((asyncio.get_running_loop(), key))
            mine = flight is None
            if flight is None:
                flight = self._start(key, load)
            try:
                return await self._land(key, flight, mine=mine)
            except HfgenError:
                if mine or not flight.orphaned:
                    raise
        return value

    def _start(self, key: K, load: Callable[[], Coroutine[Any, Any, V]]) -> _Flight[V]:
        loop = asyncio.get_running_loop()
        flight = _Flight(loop.create_task(self._load(key, load)))
        self._flights[loop, key] = flight
        flight.task.add_done_callback(lambda _: self._done(loop, key, flight))
        return flight

    async def _load(self, key: K, load: Callable[[], Awaitable[V]]) -> V:
        value = await load()
        self.put(key, value)
        return value

    async def _land(self, key: K, flight: _Flight[V], *, mine: bool) -> V:
        flight.waiting += 1
        try:
            await asyncio.wait((flight.task,))
        except asyncio.CancelledError:
            flight.orphaned = flight.orphaned or mine
            raise
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                # Out of the table at once: whoever comes now must not board a flight that is being called off.
                self._drop(asyncio.get_running_loop(), key, flight)
                flight.task.cancel()
        return flight.task.result()

    def _done(self, loop: asyncio.AbstractEventLoop, key: K, flight: _Flight[V]) -> None:
        self._drop(loop, key, flight)
        if not flight.task.cancelled():
            flight.task.exception()  # seen, even where everybody has left

    def _drop(self, loop: asyncio.AbstractEventLoop, key: K, flight: _Flight[V]) -> None:
        if self._flights.get((loop, key)) is flight:
            del self._flights[loop, key]
