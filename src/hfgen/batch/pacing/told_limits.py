"""What a server's headers say is left of its limits; heeded beside what the user allows, so it only ever slows down.

Only what is left and when that ends is believed: which period a limit is for no header tells alike (OpenAI's
`x-ratelimit-limit-requests` is a minute's, Groq's a day's). Read are `x-ratelimit-remaining-requests`, `-tokens` with
`x-ratelimit-reset-…` (OpenAI's API reference), the same without an ending, `ratelimit-remaining` and `-reset`, and
`ratelimit: "name";r=50;t=30` (draft-ietf-httpapi-ratelimit-headers; the Hub's, too).
"""

import math
import re
from collections.abc import Mapping
from typing import Final

from hfgen.batch.pacing.allowance import Need

_LONGEST: Final = 300.0  # seconds; then the server is asked again, whatever it said
_SAME: Final = 1.0  # seconds between two times that are the same end of a period
_LONGEST_VALUE: Final = 200
_PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_UNITS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LEFT: Final = re.compile(r"\br=(\d{1,12})")
_RESET: Final = re.compile(r"\bt=(\d{1,9})")
_REQUESTS: Final = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("ratelimit-remaining", "ratelimit-reset"),
)
_TOKENS: Final = (("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),)


class _Left:
    """Of one limit."""

    def __init__(self) -> None:
        self._left = 0.0
        self._until = -math.inf

    def told(self, left: float, reset: float, now: float) -> None:
        until = now + min(reset, _LONGEST)
        if left < self._left or now >= self._until or abs(until - self._until) > _SAME:
            self._left, self._until = left, until

    def wait(self, amount: int, now: float) -> float:
        return 0.0 if amount <= self._left or now >= self._until else self._until - now

    def take(self, amount: int) -> None:
        self._left -= amount


class ToldLimits:
    """What is left at one server for one model."""

    def __init__(self) -> None:
        self._requests: _Left | None = None
        self._tokens: _Left | None = None

    def heard(self, headers: Mapping[str, str], now: float) -> None:
        """Read the headers of an answer; their names in lower case, or a mapping that does not mind."""
        if said := _said(headers, _REQUESTS) or _in_one_field(headers.get("ratelimit", "")):
            self._requests = self._requests or _Left()
            self._requests.told(*said, now)
        if said := _said(headers, _TOKENS):
            self._tokens = self._tokens or _Left()
            self._tokens.told(*said, now)

    def wait(self, need: Need, now: float) -> float:
        """Seconds until a row may start."""
        requests = 0.0 if self._requests is None else self._requests.wait(need.requests, now)
        return requests if self._tokens is None else max(requests, self._tokens.wait(need.input + need.output, now))

    def take(self, need: Need) -> None:
        """A row starts."""
        if self._requests is not None:
            self._requests.take(need.requests)
        if self._tokens is not None:
            self._tokens.take(need.input + need.output)


def _said(headers: Mapping[str, str], names: tuple[tuple[str, str], ...]) -> tuple[float, float] | None:
    for name, reset_name in names:
        if left := headers.get(name):
            count, reset = _number(left), _duration(headers.get(reset_name, ""))
            if count is not None and reset is not None:
                return count, reset
    return None


def _in_one_field(value: str) -> tuple[float, float] | None:
    """Of several policies that with the least left."""
    said = [
        (float(left[1]), float(reset[1]))
        for policy in value[:_LONGEST_VALUE].split(",")
        if (left := _LEFT.search(policy)) and (reset := _RESET.search(policy))
    ]
    return min(said, default=None)


def _duration(text: str) -> float | None:
    """Seconds: a number of them, or such as `6m0s` and `20ms`; a moment of the calendar is none."""
    text = text.strip()[:_LONGEST_VALUE]
    seconds = _number(text)
    if seconds is not None:
        return seconds if seconds < 1e8 else None  # noqa: PLR2004 - beyond, it is a time since 1970
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _number(text: str) -> float | None:
    try:
        value = float(text[:_LONGEST_VALUE])
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None
