"""Seconds that a server asks to wait, in the forms in which servers ask."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_LONGEST: Final = 1e9
_RATELIMIT_T: Final = re.compile(r";\s{0,8}t=(\d{1,9})")
_NONE_LEFT: Final = re.compile(r"\br=0\b")


def asked_wait(headers: Mapping[str, str], estimated: object = None) -> float | None:
    """Seconds to wait before asking again, None where the server does not say.

    Args:
        headers: The answer's headers, their names in lower case. `Retry-After` comes in seconds or as a date,
            `retry-after-ms` in milliseconds, and the Hub's `ratelimit` tells its reset when nothing is left.
        estimated: The body's `estimated_time`: the loading of a model, in seconds.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    after = headers.get("retry-after", "")
    if after:
        seconds = _number(after)
        return max(0.0, seconds) if seconds is not None else _until(after, headers.get("date", ""))
    limit = headers.get("ratelimit", "")
    reset = _RATELIMIT_T.search(limit)
    if reset and _NONE_LEFT.search(limit):
        return float(reset[1])
    if isinstance(estimated, (int, float)) and not isinstance(estimated, bool) and 0 <= estimated < _LONGEST:
        return float(estimated)
    return None


def _until(date: str, now: str) -> float | None:
    """From the server's own Date, whose clock may differ from ours, to the date it names; ours where it has none."""
    then = _parsed(date)
    if then is None:
        return None
    return max(0.0, (then - (_parsed(now) or datetime.now(UTC))).total_seconds())


def _parsed(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, ArithmeticError, LookupError):
        return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if -_LONGEST < value < _LONGEST else None  # so neither infinite nor NaN
