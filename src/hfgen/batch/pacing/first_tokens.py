"""Whether requests queue at a server, by the time to their first tokens.

Judged by the median of a window against a baseline: a p95 of as few answers as a window has is but its slowest one.
They queue where the median has doubled and the wait is a quarter of the whole answer's time: a shorter queue costs less
than a slot that lies idle. The baseline is the fastest window. It never rises by itself, or a queue that grows slowly
would be taken for the server's own pace; only where fewer requests did not shorten the wait is that none of our making,
and the baseline from then on.
"""

from statistics import median
from typing import Final, NamedTuple

_DOUBLED: Final = 2.0
_SHARE: Final = 0.25  # of an answer's time
_SHORT: Final = 0.05  # seconds that are noise
_FEWER: Final = 0.75  # of the requests, so that it is seen whether it helps
_NO_HELP: Final = 0.7  # of the wait, that is left then


class Crowd(NamedTuple):
    """What a window tells: how long its requests waited, and among how many.

    Attributes:
        wait: Seconds to the first token; the median, as all that follows.
        seconds: From the request to the end.
        load: Requests that were under way as it began.
    """

    wait: float
    seconds: float
    load: float


class FirstTokens:
    """The times to the first token of one server."""

    def __init__(self) -> None:
        self._crowd: list[Crowd] = []
        self._baseline: float | None = None
        self._cut: Crowd | None = None

    def note(self, first_token: float, seconds: float, load: int) -> None:
        """One answer: when its first token came, how long it took in all, and how many were under way as it began."""
        self._crowd.append(Crowd(first_token, seconds, load))

    def forget(self) -> None:
        """The window was broken off."""
        self._crowd.clear()

    def borne(self) -> float | None:
        """End a window: how many requests the server works on at once; None where no queue is to speak of."""
        if not self._crowd:
            return None
        waits, seconds, loads = zip(*self._crowd, strict=True)
        now = Crowd(median(waits), median(seconds), median(loads))
        self._crowd.clear()
        if self._baseline is None or self._helpless(now):
            self._baseline = now.wait
            return None
        self._baseline = min(self._baseline, now.wait)
        excess = now.wait - self._baseline
        if now.wait <= self._baseline * _DOUBLED or excess <= max(_SHORT, now.seconds * _SHARE):
            return None
        self._cut = now
        return now.load * max(0.0, 1 - excess / now.seconds)  # Little's law

    def _helpless(self, now: Crowd) -> bool:
        """Whether there were fewer requests than at the last cut, and yet they waited as long."""
        before = self._cut
        if before is None or now.load > before.load * _FEWER:
            return False
        self._cut = None
        return now.wait > before.wait * _NO_HELP
