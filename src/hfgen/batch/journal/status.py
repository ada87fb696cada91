"""How a run is getting on, for whoever asks from another terminal: `OUT.status.json`, rewritten while it runs."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from hfgen.batch.journal.durable import beside, replace
from hfgen.batch.journal.output import file_of
from hfgen.batch.pacing.spending import Cost

_ENDING: Final = ".status.json"


class Status(msgspec.Struct, frozen=True, omit_defaults=True):
    """A moment of a run.

    Attributes:
        state: `running`, `finished`, `stopped` (by its user or a limit) or `broken` (by an error).
        pid: Its process.
        host: Its machine.
        started: Unix time of the run's start.
        updated: Unix time of this.
        done: Rows with an answer, of earlier runs too.
        failed: Rows with an error, of earlier runs too.
        retried: Requests that were sent again in this run.
        total: Rows of the input, None while it is not known.
        in_flight: Requests under way.
        concurrency: How many may be.
        rows_per_second: Of late.
        tokens_per_second: Of late.
        cost: Spent in this run in US dollars, at least and at most; None where a price is not known.
        projected: What the whole job will cost, None as for `cost`.
        seconds_left: None where it is not known.
        message: Why it stopped, or "".
    """

    state: str
    pid: int
    host: str
    started: float
    updated: float
    done: int = 0
    failed: int = 0
    retried: int = 0
    total: int | None = None
    in_flight: int = 0
    concurrency: int = 0
    rows_per_second: float = 0.0
    tokens_per_second: float = 0.0
    cost: Cost | None = None
    projected: Cost | None = None
    seconds_left: float | None = None
    message: str = ""


def write(out: Path, status: Status) -> None:
    """Let other terminals know; where it cannot be written nothing is lost but that."""
    with suppress(OSError):
        replace(beside(out, _ENDING), msgspec.json.encode(status) + b"\n", lasting=False)


def read(out: str | os.PathLike[str]) -> Status | None:
    """How the latest run of an output is or was getting on; None where that is not known.

    A run that was killed has no time to say so: whether one is at work says `Lock.holder`.
    """
    try:
        return msgspec.json.decode(beside(file_of(out), _ENDING).read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
