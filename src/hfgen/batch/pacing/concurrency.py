"""How many requests may be under way at once: more while a server answers well, half when it is too much (AIMD).

As TCP finds the speed of a line nobody tells it. A window is as many answers as there were slots. While slots are
really used it doubles the slots in each window at first, and up to what was fine before the last cut; beyond, it adds
one in a window, two in the next, and so on. It halves them when refusals come in a burst, or when the time to the first
token says that requests queue; once for all that was under way then, for they tell of the same moment.
"""

from typing import Final, NamedTuple

from hfgen.batch.pacing.first_tokens import FirstTokens

FIRST: Final = 8
MOST: Final = 512  # a process may usually have 1024 files open
_LEAST: Final = 1.0
_SHORTEST_WINDOW: Final = 8
_BURST: Final = 0.1  # of a window's answers; fewer refusals are the noise of a large service
_FINE: Final = 0.9  # of the slots at which refusals came
_FASTEST: Final = 0.25  # of the slots, that a window adds at most


class Slot(NamedTuple):
    """A slot that was taken.

    Attributes:
        epoch: Cuts before it.
        load: Slots that were taken then, itself included.
    """

    epoch: int
    load: int


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

    def start(self) -> Slot:
        """Take a slot."""
        self.under_way += 1
        if self.under_way >= int(self._limit):
            self._used = True
        return Slot(self._epoch, self.under_way)

    def release(self) -> None:
        """Give a slot back that told nothing of the server's health: a row's own fault, or a caller who left."""
        self.under_way -= 1

    def answered(self, slot: Slot, first_token: float | None, seconds: float) -> None:
        """Give a slot back after a healthy answer.

        Args:
            slot: What `start` said.
            first_token: Seconds to the first token; None where none was seen.
            seconds: From the request to the end.
        """
        self.under_way -= 1
        if slot.epoch != self._epoch or self._fixed:
            return
        self._answers += 1
        if first_token is not None:
            self._first_tokens.note(first_token, seconds, slot.load)
        if self._used:
            self._grow()
        if self._answers >= self._window:
            self._end_window()

    def refused(self, slot: Slot) -> bool:
        """Give a slot back after a sign of too much: 429, 503, a time limit, no connection.

        Returns:
            Whether it makes a burst, upon which the slots were halved.
        """
        self.under_way -= 1
        if slot.epoch != self._epoch:
            return False
        self._answers += 1
        self._refused += 1
        if self._refused >= max(min(2.0, self._limit / 2), self._limit * _BURST):
            self._cut(self._limit / 2, self._limit * _FINE)
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
        borne = None if self._fixed else self._first_tokens.borne()
        if borne is not None:
            self._cut(min(self._limit / 2, borne), borne)
            return
        self._clean += 1
        self._begin_window()

    def _cut(self, limit: float, fine: float) -> None:
        """Have fewer slots, and come back quickly to what is fine."""
        self._epoch += 1
        self._clean = 0
        self._first_tokens.forget()
        if not self._fixed:
            self._limit = max(_LEAST, limit)
            self._fine = max(self._limit, fine)
        self._begin_window()
