"""How many requests may be under way at once: more while a server answers well, half when it is too much (AIMD).

As TCP finds the speed of a line nobody tells it. A window is as many answers as there were slots. While slots are
really used it doubles the slots in each window at first, and up to what was fine before the last cut; beyond, it adds
one in a window, two in the next, and so on. It halves them when refusals come in a burst, or when the time to the first
token says that requests queue; once for all that was under way then, for they tell of the same moment.
"""

from typing import Final

from hfgen.batch.first_tokens import FirstTokens

FIRST: Final = 8
MOST: Final = 512  # a process may usually have 1024 files open
_LEAST: Final = 1
_SHORTEST_WINDOW: Final = 8
_BURST: Final = 0.1  # of a window's answers; fewer refusals are the noise of a large service
_FINE: Final = 0.9  # of the slots at which refusals came
_FASTEST: Final = 0.25  # of the slots, that a window adds at most


class Concurrency:
    """The slots of one server, as it bears them now.

    Args:
        first: Slots to begin with.
        most: Never more.
        fixed: Keep `most`, whatever happens.

    Attributes:
        under_way: Requests that hold a slot.
    """

    def __init__(self, first: int = FIRST, most: int = MOST, *, fixed: bool = False) -> None:
        self.under_way = 0
        self._most = float(most)
        self._fixed = fixed
        self._limit = float(most if fixed else min(first, most))
        self._fine = self._most
        self._epoch = 0
        self._clean = 0  # windows since the last cut
        self._first_tokens = FirstTokens()
        self._begin_window()

    @property
    def slots(self) -> int:
        """How many requests may be under way now."""
        return int(self._limit)

    def start(self) -> int:
        """Take a slot; the number is for `done`."""
        self.under_way += 1
        if self.under_way >= int(self._limit):
            self._used = True
        return self._epoch

    def release(self) -> None:
        """Give a slot back that told nothing of the server's health: a row's own fault, or a caller who left."""
        self.under_way -= 1

    def answered(self, epoch: int, first_token: float | None, seconds: float) -> None:
        """Give a slot back after a healthy answer.

        Args:
            epoch: What `start` said.
            first_token: Seconds to the first token; None where none was seen.
            seconds: From the request to the end.
        """
        self.under_way -= 1
        if epoch != self._epoch or self._fixed:
            return
        self._answers += 1
        if first_token is not None:
            self._first_tokens.note(first_token, seconds)
        if self._used:
            self._grow()
        if self._answers >= self._window:
            self._end_window()

    def refused(self, epoch: int) -> bool:
        """Give a slot back after a sign of too much: 429, 503, a time limit, no connection.

        Returns:
            Whether it makes a burst, upon which the slots were halved.
        """
        self.under_way -= 1
        if epoch != self._epoch:
            return False
        self._answers += 1
        self._refused += 1
        if self._refused >= max(min(2.0, self._limit / 2), self._limit * _BURST):
            self._cut(self._limit * _FINE)
            return True
        if self._answers >= self._window:
            self._end_window()
        return False

    def _grow(self) -> None:
        if self._limit < self._fine:
            self._limit = min(self._fine, self._limit + 1)
        else:
            step = min(1.0 + self._clean, max(1.0, self._limit * _FASTEST))
            self._limit = min(self._most, self._limit + step / self._limit)

    def _begin_window(self) -> None:
        self._window = max(_SHORTEST_WINDOW, int(self._limit))
        self._answers = 0
        self._refused = 0
        self._used = self.under_way >= int(self._limit)

    def _end_window(self) -> None:
        queued = self._first_tokens.queued()
        if queued and not self._fixed:
            self._cut(self._limit * (1 - queued))  # by Little's law those that the server really works on
            return
        self._clean += 1
        self._begin_window()

    def _cut(self, fine: float) -> None:
        """Halve, and come back quickly to what is fine."""
        self._epoch += 1
        self._clean = 0
        self._first_tokens.forget()
        if not self._fixed:
            self._limit = max(float(_LEAST), self._limit / 2)
            self._fine = max(self._limit, fine)
        self._begin_window()
