"""Whether requests queue at a server, by the time to their first tokens.

Judged by the median of a window against a baseline: a p95 of as few answers as a window has is but its slowest one. The
baseline follows a faster window halfway at once and a slower one by a sixteenth. They queue where the median has
doubled and the wait is a quarter of the whole answer's time: a shorter queue costs less than a slot that lies idle.
"""

from statistics import median
from typing import Final

_DOUBLED: Final = 2.0
_SHARE: Final = 0.25  # of an answer's time
_SHORT: Final = 0.05  # seconds that are noise
_NO_HELP: Final = 0.7  # of the wait before a cut, that is left after it
_FASTER: Final = 1 / 2
_SLOWER: Final = 1 / 16


class FirstTokens:
    """The times to the first token of one server."""

    def __init__(self) -> None:
        self._waits: list[float] = []
        self._seconds: list[float] = []
        self._baseline: float | None = None
        self._at_cut: float | None = None

    def note(self, first_token: float, seconds: float) -> None:
        """One answer: when its first token came, and how long it took in all, in seconds."""
        self._waits.append(first_token)
        self._seconds.append(seconds)

    def forget(self) -> None:
        """The window was broken off."""
        self._waits.clear()
        self._seconds.clear()

    def queued(self) -> float:
        """End a window: the share of its answers' time that was spent in a queue, 0 where none is to speak of."""
        if not self._waits:
            return 0.0
        wait, seconds = median(self._waits), median(self._seconds)
        self.forget()
        before, self._at_cut = self._at_cut, None
        if self._baseline is None or (before is not None and wait > before * _NO_HELP):
            self._baseline = wait  # fewer requests did not shorten it: it is none of our making
            return 0.0
        excess = wait - self._baseline
        self._baseline += excess * (_SLOWER if excess > 0 else _FASTER)
        if wait <= (wait - excess) * _DOUBLED or excess <= max(_SHORT, seconds * _SHARE):
            return 0.0
        self._at_cut = wait
        return min(excess / seconds, 1.0) if seconds else 0.0
