"""Which faults there are, what each is asked, and what a perfect client makes of it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

DIALECTS: Final = ("chat", "completions", "tgi")
PATHS: Final = {"chat": "/v1/chat/completions", "completions": "/v1/completions", "tgi": "/generate_stream", "root": ""}
"""What follows a fault's root in `api_base`; `root` leaves the route to detection."""

OTHER_FRONTS: Final = frozenset({"image", "batch", "gateway"})
"""Phases that are proved where pictures, batches and the gateway are."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One fault of the catalogue, in its words."""

    id: str
    phase: str
    where: str
    apis: tuple[str, ...]
    inject: str
    perfect: str
    accept: frozenset[str]

    @property
    def dialects(self) -> tuple[str, ...]:
        return ("chat",) if self.apis == ("any",) else tuple(name for name in DIALECTS if name in self.apis)


@dataclass(frozen=True, slots=True)
class Demand:
    """What a fault needs beside the common request, and what its entry asks for beside the right text.

    Attributes:
        words: The length of the answer.
        flags: Of the prompt's marker: characters that are hard to carry.
        most_requests: More than these are hammering, or a needless continuation.
        least_wait: Seconds between the first two requests.
        most_seconds: From the call to its end.
        error: The name of the error's class, or of one that it is a kind of.
        said: What its message has to hold, in small letters.
        partial: Whether the error has to carry text.
        attempts: How many the error has to tell of, where these are not the requests that the server saw.
        retry_after: What the error has to tell.
    """

    words: int = 120
    flags: str = ""
    max_tokens: int | None = 4000
    most_requests: int | None = None
    least_wait: float = 0.0
    most_seconds: float = 60.0
    error: str = "HfgenError"
    said: str = ""
    partial: bool = False
    attempts: int = 0
    retry_after: float | None = None
    finish: str = "stop"
    options: dict[str, Any] = field(default_factory=dict[str, Any])


ONE: Final = Demand(most_requests=1)
DEMANDS: Final[dict[str, Demand]] = {
    "html_200": Demand(said="html", error="ResponseError"),
    "json_error_200": Demand(said="too busy"),
    "redirect_loop": Demand(most_requests=10, attempts=1),
    "header_stall_forever": Demand(error="TimedOut", most_requests=6),
    "s429_retry_after": Demand(least_wait=1.0),
    "s429_long": Demand(error="RateLimited", retry_after=3600, most_requests=1, most_seconds=10),
    "s503_loading": Demand(least_wait=1.0),
    "s503_forever": Demand(error="ServerError", most_requests=6),
    "s401": Demand(error="MissingAuth", most_requests=1),
    "s402": Demand(error="PaymentRequired", most_requests=1),
    "s404": Demand(most_requests=1),
    "s422": Demand(error="BadRequest", most_requests=1),
    "mid_error_fatal": Demand(error="StreamError", most_requests=1, partial=True),
    "resume_no_progress": Demand(error="StreamError", partial=True, most_requests=8),
    "resume_rejected": Demand(error="StreamError", partial=True, most_requests=4),
    "resume_max_tokens": Demand(max_tokens=60, finish="length"),
    "unicode_seps": Demand(flags="u"),
    "done_literal": Demand(flags="d"),
    "slow_tokens": Demand(most_requests=1, options={"idle_timeout": 6.0}),  # a busy machine is slow, too
    "rst_after_finish": ONE,
    "rst_after_done": ONE,
    "open_after_done": Demand(most_requests=1, most_seconds=10),
    "garbage_after_done": ONE,
    "comments_then_ok": ONE,
    "coalesced": ONE,
    "firehose": Demand(words=20_000, max_tokens=None),
}


def demand(fault: str) -> Demand:
    return DEMANDS.get(fault, Demand())


def entries(shared: Path) -> list[Entry]:
    """The faults of a client that streams text."""
    listed = json.loads((shared / "faults_open.json").read_text())
    return [
        Entry(
            one["id"],
            one["phase"],
            one["where"],
            tuple(one["apis"]),
            one["inject"],
            one["perfect"],
            frozenset(one["accept"]),
        )
        for one in listed
        if one["phase"] not in OTHER_FRONTS
    ]
