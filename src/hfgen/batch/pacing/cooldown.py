"""The pause that all requests to one server and model keep, once it said that there are too many.

One refusal that names a time (`Retry-After`) is heeded by all. A burst of them pauses for the time that it names, or
else for one drawn between none and a bound that doubles with each burst (full jitter); what was under way when it began
tells of the same burst. After a second burst without an answer in between one request alone goes first. No slot is held
meanwhile.
"""

import random
from collections.abc import Callable
from typing import Final

_FIRST: Final = 0.5  # seconds; doubled with each burst
_LONGEST: Final = 30.0
_APART: Final = 0.1  # of what the server asks, added at random: its other clients were told the same moment


class Cooldown:
    """When one server may be asked again.

    Args:
        draw: A random number between two bounds.
    """

    def __init__(self, draw: Callable[[float, float], float] = random.uniform) -> None:
        self._draw = draw
        self._until = 0.0
        self._since = 0.0
        self._bursts = 0
        self._first: float | None = None

    @property
    def probes(self) -> bool:
        """Whether one request at a time is enough, until one is answered."""
        return self._bursts > 1

    @property
    def bursts(self) -> int:
        """How many there were since the last answer."""
        return self._bursts

    def wait(self, now: float) -> float:
        """Seconds until the server may be asked, 0 for at once."""
        return max(0.0, self._until - now)

    def asked(self, now: float, seconds: float) -> None:
        """The server asks to wait, in one refusal among answers."""
        self._first = now if self._first is None else self._first
        self._until = max(self._until, now + seconds)

    def refused(self, began: float, now: float, asked: float | None) -> None:
        """A refusal that is one of a burst.

        Args:
            began: When the refused request was sent.
            now: Of the same clock.
            asked: Seconds that the server asks to wait, or None.
        """
        self._first = now if self._first is None else self._first
        same = self._bursts and began < self._since
        if not same:
            self._bursts += 1
            self._since = now
        if asked is not None:
            self._until = max(self._until, now + asked + (0.0 if same else self._draw(0.0, min(1.0, asked * _APART))))
        elif not same:
            bound = min(_LONGEST, _FIRST * 2.0 ** min(self._bursts - 1, 16))
            self._until = max(self._until, now + self._draw(0.0, bound))

    def answered(self, began: float) -> None:
        """A request that was sent at `began` was answered."""
        if began >= self._since:
            self._bursts = 0
            self._first = None

    def refusing(self, now: float) -> float:
        """For how many seconds nothing but refusals has come."""
        return 0.0 if self._first is None else now - self._first
