"""What becomes of a row that failed, and how many may be asked again in a job.

A refusal for load (429, a model that is being loaded) is no attempt: the cooldown paces it, and no row fails by it.
All else that may pass is repeated after a jittered wait, as long as repeats are few: an outage is not made worse.
"""

import random
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from hfgen.errors import (
    EndpointPaused,
    HfgenError,
    MissingAuth,
    ModelLoading,
    PaymentRequired,
    RateLimited,
    ServerError,
)
from hfgen.transport.retry import retryable

Fate: TypeAlias = Literal["again", "record", "stop"]
"""Of a row: asked again, recorded as failed, or left as it is, for the job cannot go on."""

SHARE: Final = 0.1
FLOOR: Final = 50
MOST_ATTEMPTS: Final = 5
_FULL: Final = 503  # with a Retry-After; without, it may be any failure
_FIRST: Final = 0.5  # seconds; doubled with each attempt
_LONGEST: Final = 30.0


def fate_of(error: HfgenError) -> Fate:
    """What an error means for a job: 401, 402, 403 and a paused endpoint would end each of its rows alike."""
    if isinstance(error, (MissingAuth, PaymentRequired, EndpointPaused)):
        return "stop"
    return "again" if retryable(error) else "record"


def is_load(error: HfgenError) -> bool:
    """Whether the server had no room for the request, and did no work for it."""
    full = isinstance(error, ServerError) and error.status == _FULL and error.retry_after is not None
    return full or isinstance(error, (RateLimited, ModelLoading))


class Repeats:
    """The repeats of a job: a share of its requests, and some to begin with.

    Args:
        share: Of the requests that were sent first.
        floor: On top.
        most: Attempts at one row.
        draw: A random number between two bounds.
    """

    def __init__(
        self,
        share: float = SHARE,
        floor: int = FLOOR,
        most: int = MOST_ATTEMPTS,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._share = share
        self._floor = floor
        self._most = most
        self._draw = draw
        self._asked = 0
        self.made = 0

    def asked(self) -> None:
        """A row is sent for the first time."""
        self._asked += 1

    def take(self, attempts: int) -> bool:
        """Pay for a repeat of a row that had so many attempts; False when there is to be none."""
        if attempts >= self._most or self.made >= self._floor + self._share * self._asked:
            return False
        self.made += 1
        return True

    def wait(self, attempts: int, asked: float | None) -> float:
        """Seconds before the next attempt: as the server asks, or by full jitter.

        Args:
            attempts: How many there were.
            asked: Seconds that the server asks to wait, or None.
        """
        drawn = self._draw(0.0, min(_LONGEST, _FIRST * 2.0 ** (attempts - 1)))
        return drawn if asked is None else max(asked, drawn)
