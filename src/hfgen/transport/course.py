"""What becomes known of one request on its way."""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from hfgen.transport.silence import HeadWait

_ROUND_TRIP: Final = 1.0  # seconds; later it was the server that gave up


@dataclass(slots=True)
class Course:
    """One sending of a request.

    Attributes:
        wait: Told when there is a connection.
        reused: The connection was kept from an earlier request.
        began: When the request was sent.
    """

    wait: HeadWait
    reused: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def stale(self) -> bool:
        """Whether a failure now is most likely that of a connection which the server had closed before."""
        return self.reused and time.monotonic() - self.began < _ROUND_TRIP


COURSE: Final[ContextVar[Course]] = ContextVar("COURSE")
"""That of the request which this task is sending."""
