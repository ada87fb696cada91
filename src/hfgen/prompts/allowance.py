"""What one compilation or rendering of a template may spend; the sandbox charges it wherever work can grow.

One counter of units stands for steps and bytes alike: a byte made is one unit, a step of a loop is `STEP`. The clock is
read each time a slice of the units is used up, so that charging costs a subtraction and a comparison.
"""

from collections.abc import Generator, ItemsView, Iterable, KeysView, Mapping, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from itertools import chain
from time import thread_time
from typing import Final, cast

from jinja2.utils import Namespace

from hfgen.errors import TemplateTooCostly

STEP: Final = 32
_SLICE: Final = 32_768
_UNITS: Final = 48_000_000  # below 200 MB even where every unit is a byte that is kept and copied once
_SECONDS: Final = 0.9  # of this thread's CPU; the slowest real template needs some milliseconds
# A template that goes over each character of a long conversation (some for pictures do) is slow, not hostile: what was
# given buys units and seconds.
_PER_INPUT: Final = 256
_SECONDS_PER_INPUT: Final = 1e-5
_SMALL: Final = 16
_LARGEST: Final = 2**40  # where measuring stops; any rendering has less


class Allowance:
    """The units and the CPU time that are left; `left` is the current slice, which `spend` takes from."""

    __slots__ = ("_deadline", "_inputs", "_rest", "left", "now")

    def __init__(self, now: datetime | None = None, inputs: object = None) -> None:
        self.left = _SLICE
        self.now = now
        self._rest = _UNITS - _SLICE
        self._inputs = inputs
        self._deadline = thread_time() + _SECONDS

    def settle(self) -> None:
        """Open the next slice, or end the rendering."""
        self._rest += self.left
        self.left = 0
        late = thread_time() > self._deadline
        if (late or self._rest < 0) and self._inputs is not None:
            # Only who needs more pays for measuring what was given.
            given, self._inputs = _expanded(self._inputs, {}), None
            self._rest += _PER_INPUT * given
            self._deadline += _SECONDS_PER_INPUT * given
            late = thread_time() > self._deadline
        if self._rest < 0:
            raise too_costly("it takes too many steps or makes too much text")
        if late:
            raise too_costly("it takes too much CPU time")
        self.left = min(_SLICE, self._rest)
        self._rest -= self.left


_CURRENT: Final[ContextVar[Allowance]] = ContextVar("allowance")
current: Final = _CURRENT.get
"""The allowance of what runs now."""


def too_costly(why: str) -> TemplateTooCostly:
    """The error for a bound that was hit."""
    return TemplateTooCostly(
        f"the chat template hit a bound of the sandbox: {why}",
        hint="Real templates stay far below the bounds; look at this one before you trust its model.",
    )


@contextmanager
def allowed(allowance: Allowance) -> Generator[None, None, None]:
    """Charge everything inside to `allowance`."""
    token = _CURRENT.set(allowance)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def pinned_now() -> datetime | None:
    """The date that this rendering was given, or None for the clock's."""
    return current().now


def spend(units: int) -> None:
    """Charge `units`.

    Raises:
        TemplateTooCostly: Nothing is left of the units, or of the time.
    """
    allowance = current()
    allowance.left -= units
    if allowance.left < 0:
        allowance.settle()


def weight(text: str | bytes) -> int:
    """Bytes of a text in memory, roughly: four for each character as soon as one is not ASCII."""
    return len(text) if text.isascii() else 4 * len(text)


def measure(value: object) -> int:
    """Charge what it costs to print, compare or hash `value`: its size with everything shared counted each time.

    A list that holds itself twice, sixty levels deep, is small in memory and endless to print.
    """
    if type(value) is str:
        size = len(value) if value.isascii() else 4 * len(value)
    elif value is None or isinstance(value, (bool, float)):
        return _SMALL
    else:
        size = _expanded(value, {})
    spend(size)
    return size


def _expanded(value: object, known: dict[int, int]) -> int:
    if isinstance(value, (str, bytes)):
        return weight(value) + _SMALL
    if isinstance(value, int):
        return _SMALL + (value.bit_length() >> 2)
    if isinstance(value, range):
        return _SMALL * (1 + len(value))
    parts = _parts(value)
    if parts is None:
        return _SMALL
    if id(value) in known:
        return known[id(value)]
    known[id(value)] = 0  # A namespace can hold itself; printing that ends in a RecursionError of its own.
    total = _SMALL
    for part in parts:
        total += _expanded(part, known)
    if total > _LARGEST:
        raise too_costly("a value holds itself too many times")
    known[id(value)] = total
    return total


def _parts(value: object) -> Iterable[object] | None:
    if isinstance(value, Namespace):
        value = cast("object", getattr(value, "_Namespace__attrs", None))
    if isinstance(value, ItemsView):
        # Its tuples are made on the fly: taken apart here, as their ids mean nothing later.
        return chain.from_iterable(cast("ItemsView[object, object]", value))
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return chain(mapping.keys(), mapping.values())
    if isinstance(value, (list, tuple, set, frozenset, KeysView, ValuesView)):
        return cast("Iterable[object]", value)
    return None
