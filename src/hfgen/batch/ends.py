"""When a job stops before its rows are all done: its time is over, its money, or too many rows fail."""

import re
from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias

from hfgen.batch.tally import Tally
from hfgen.errors import HfgenError, UsageError

Reason: TypeAlias = Literal["deadline", "cost", "errors"]

_FEWEST: Final = 20  # rows before a share of them says anything
_ERRORS: Final = re.compile(r"(\d+(?:\.\d+)?)(%?)")
_GO_ON: Final = "What is done is recorded; the same command goes on from there."


class JobStopped(HfgenError):
    """A limit of the job was reached; every row that was under way has ended and is recorded.

    Attributes:
        reason: Which limit.
    """

    exit_code = 3

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message, hint=_GO_ON)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class Ends:
    """The limits of a job.

    Attributes:
        deadline: Seconds.
        max_cost: US dollars.
        max_errors: Rows that may fail, or their share of the rows that have ended; None for any.
    """

    deadline: float | None = None
    max_cost: float | None = None
    max_errors: int | float | None = None

    @classmethod
    def of(cls, deadline: float | None, max_cost: float | None, max_errors: int | str | None) -> Self:
        """The limits as people write them: `max_errors` is a number of rows, or `5%`.

        Raises:
            UsageError: One of them is none.
        """
        for name, value in (("deadline", deadline), ("max_cost", max_cost)):
            if value is not None and value <= 0:
                raise UsageError(f"{name}={value!r}: it must be above 0, or None for none")
        return cls(deadline, max_cost, None if max_errors is None else _share(str(max_errors)))

    def reached(self, tally: Tally) -> JobStopped | None:
        """Which of them, None while there is none."""
        if self.max_errors is not None and self._too_many(tally, self.max_errors):
            allowed = self.max_errors if isinstance(self.max_errors, int) else f"{self.max_errors:.1%}"
            return JobStopped("errors", f"{tally.failed} of {tally.finished} rows have failed, and {allowed} may")
        spent = tally.spent.high if tally.spent else 0.0  # of unknown prices the pace judges
        if self.max_cost is not None and spent >= self.max_cost:
            return JobStopped("cost", f"${spent:.4f} may be spent, and ${self.max_cost:g} were allowed")
        return None

    def out_of_time(self) -> JobStopped:
        """The deadline is over."""
        return JobStopped("deadline", f"the job's {self.deadline:g} seconds are over")

    @staticmethod
    def _too_many(tally: Tally, allowed: float) -> bool:
        if isinstance(allowed, int):
            return tally.failed > allowed
        return tally.finished >= _FEWEST and tally.failed > allowed * tally.finished


def _share(written: str) -> int | float:
    found = _ERRORS.fullmatch(written.strip())
    number = float(found[1]) if found else -1.0
    if found and found[2] and number <= 100:  # noqa: PLR2004 - of a hundred
        return number / 100
    if found and not found[2] and number.is_integer():
        return int(number)
    raise UsageError(f"max_errors={written!r}: it is a number of rows, or a share such as 5%")
