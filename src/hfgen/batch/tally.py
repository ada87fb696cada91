"""Where a batch stands: counted from its results alone, for people who watch and for programs."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from hfgen.batch.pacing.spending import Cost
from hfgen.batch.result import Result

_WINDOW: Final = 30.0  # seconds over which a speed is told
_STEP: Final = 1.0  # seconds that are counted together


class Standing(msgspec.Struct, frozen=True):
    """One look at a batch; as JSON the line for those who are no terminal.

    Attributes:
        total: Rows of the input, None where nobody has counted them.
        finished_before: Rows that an earlier run has finished.
        done: Rows that this run has answered.
        failed: Rows that this run ended without an answer.
        copied: Of all these, rows that got the result of another one, which asks the same.
        retried: Requests beyond the first of each row.
        resumed: Streams that broke and were continued.
        under_way: Rows that are being asked now.
        slots: Rows that may be asked at once, as it goes now.
        rows_per_second: Over the last half minute.
        tokens_per_second: Tokens of answers, over the same time.
        prompt_tokens: Of this run.
        completion_tokens: Of this run.
        spent: US dollars of this run, at least and at most; None where a price is not known.
        projected: What the whole batch will have cost in this run, as `spent`; None where that cannot be said.
        seconds: Since the run began.
        seconds_left: None where nobody can say.
    """

    total: int | None
    finished_before: int
    done: int
    failed: int
    copied: int
    retried: int
    resumed: int
    under_way: int
    slots: int
    rows_per_second: float
    tokens_per_second: float
    prompt_tokens: int
    completion_tokens: int
    spent: Cost | None
    projected: Cost | None
    seconds: float
    seconds_left: float | None


class _Step(NamedTuple):
    at: float
    rows: int
    tokens: int


class Tally:
    """Counts results as they come.

    Args:
        total: Rows of the input, where they are known.
        clock: Seconds that only ever grow.
    """

    def __init__(self, total: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self.finished_before = 0
        self.done = 0
        self.failed = 0
        self.copied = 0
        self.under_way: Callable[[], int] = lambda: 0
        self.slots: Callable[[], int] = lambda: 0
        self.spent: Cost | None = Cost(0.0, 0.0)
        self._retried = 0
        self._resumed = 0
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._clock = clock
        self._began = clock()
        self._steps: deque[_Step] = deque([_Step(self._began, 0, 0)])

    @property
    def finished(self) -> int:
        """Rows that this run has ended, well or not."""
        return self.done + self.failed

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return self._clock() - self._began

    def skip(self, rows: int = 1) -> None:
        """Rows that an earlier run has finished."""
        self.finished_before += rows

    def add(self, result: Result) -> None:
        """Count one."""
        account = result.hfgen
        self.done += result.ok
        self.failed += not result.ok
        self.copied += bool(account.copied_from)
        self._retried += max(0, account.attempts - 1)
        self._resumed += account.resumed
        self._prompt_tokens += account.prompt_tokens
        self._completion_tokens += account.completion_tokens
        costs = account.costs if account.cost is None else (account.cost, account.cost)
        if costs is not None and self.spent is not None:
            self.spent = self.spent.plus(Cost(*costs))
        elif account.attempts:
            self.spent = None
        self._step()

    def standing(self) -> Standing:
        """How it stands now."""
        seconds = self.seconds
        rows, tokens = self._speed()
        left = None if self.total is None else max(0, self.total - self.finished_before - self.finished)
        projected = None
        if left is not None and self.spent is not None and self.finished:
            projected = self.spent.times(1 + left / self.finished)
        return Standing(
            total=self.total,
            finished_before=self.finished_before,
            done=self.done,
            failed=self.failed,
            copied=self.copied,
            retried=self._retried,
            resumed=self._resumed,
            under_way=self.under_way(),
            slots=self.slots(),
            rows_per_second=rows,
            tokens_per_second=tokens,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            spent=self.spent,
            projected=projected,
            seconds=seconds,
            seconds_left=left / rows if left is not None and rows > 0 else None,
        )

    def _step(self) -> None:
        now = self._clock()
        if now - self._steps[-1].at < _STEP:
            return
        self._steps.append(_Step(now, self.finished, self._completion_tokens))
        self._forget(now)

    def _forget(self, now: float) -> None:
        while len(self._steps) > 1 and now - self._steps[1].at > _WINDOW:
            self._steps.popleft()

    def _speed(self) -> tuple[float, float]:
        """Rows and tokens a second, from the oldest step in the window until now."""
        now = self._clock()
        self._forget(now)
        oldest = self._steps[0]
        elapsed = now - oldest.at
        if elapsed <= 0:
            return 0.0, 0.0
        return (self.finished - oldest.rows) / elapsed, (self._completion_tokens - oldest.tokens) / elapsed
