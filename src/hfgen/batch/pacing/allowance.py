"""What a job may ask for in a minute: requests, and tokens of prompts and answers.

Requests are spread evenly (a bucket of one second's worth), tokens are counted over the last minute: in no minute are
there more than allowed, whichever way the server counts. A row is counted with its prompt and the longest answer it may
have when it starts, and with what it really used once that is known. A row that is larger than a whole minute's
allowance goes when nothing else was counted for a minute: late, but it goes.
"""

import math
from typing import Final, NamedTuple, Protocol

from hfgen.errors import UsageError

_MINUTE: Final = 60
_ROUNDING: Final = 1e-9


class Need(NamedTuple):
    """What a row takes at most, or took in the end.

    Attributes:
        input: Tokens of its prompts.
        output: Tokens of its answers.
        requests: One, unless it asks for several answers one by one.
    """

    input: int = 0
    output: int = 0
    requests: int = 1

    @property
    def total(self) -> int:
        """Of the prompt and the answer."""
        return self.input + self.output


class Rates(NamedTuple):
    """Per minute, above 0; None is no limit."""

    requests: float | None = None
    tokens: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None


class Allowing(Protocol):
    """What a job may ask for: all of it (`Allowance`), or what a driver leases (`Leased`)."""

    def wait(self, need: Need, now: float) -> float:
        """Seconds until such a row may start, as far as known now: an answer may make it sooner."""
        ...

    def take(self, need: Need, now: float) -> int:
        """Count a row that starts; the number is for `settle`."""
        ...

    def settle(self, taken: int, need: Need, used: Need) -> None:
        """Count what it really used in place of what it might have."""
        ...


class Bucket:
    """Requests, spread evenly over each minute.

    Args:
        rate: Requests a minute.
    """

    def __init__(self, rate: float) -> None:
        self._most = max(1.0, rate / _MINUTE)
        self._each_second = (rate - (self._most - 1)) / _MINUTE
        self._left = self._most
        self._at = -math.inf

    def wait(self, count: int, now: float) -> float:
        """Seconds until the next so many; those that are more than ever there are go when all are there."""
        left = min(self._most, self._left + (now - self._at) * self._each_second)
        missing = min(count, self._most) - left
        return missing / self._each_second if missing > _ROUNDING else 0.0

    def take(self, count: int, now: float) -> None:
        """Count them; fewer than none are given back."""
        left = min(self._most, self._left + (now - self._at) * self._each_second)
        self._left = min(self._most, left - count)
        self._at = now


class Minute:
    """Tokens of the last minute, counted by the second in which their rows started.

    Args:
        most: Tokens a minute.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._total = 0
        self._seconds: dict[int, int] = {}  # in the order of time

    def wait(self, tokens: int, now: float) -> float:
        """Seconds until there is room for so many, should none be given back before."""
        self._expire(now)
        over = self._total + tokens - self._most
        if over <= 0 or self._total <= 0:
            return 0.0
        last = 0
        for second, counted in self._seconds.items():
            last = second
            over -= counted
            if over <= 0:
                break
        return last + _MINUTE + 1 - now

    def take(self, tokens: int, now: float) -> None:
        """Count them."""
        self._expire(now)
        self._total += tokens
        second = math.floor(now)
        self._seconds[second] = self._seconds.get(second, 0) + tokens

    def correct(self, second: int, tokens: int) -> None:
        """So many more, or fewer, were counted in that second than there should be."""
        if second in self._seconds:
            self._seconds[second] += tokens
            self._total += tokens

    def _expire(self, now: float) -> None:
        gone = math.floor(now) - _MINUTE
        while self._seconds and (first := next(iter(self._seconds))) < gone:
            self._total -= self._seconds.pop(first)


class Allowance:
    """What a job may ask for, on one machine or from its driver.

    Args:
        rates: The limits.

    Raises:
        UsageError: One of them is not above 0.
    """

    def __init__(self, rates: Rates) -> None:
        for name, rate in rates._asdict().items():
            if rate is not None and not rate > 0:
                raise UsageError(f"a limit of {rate:g} {name.replace('_', ' ')} a minute lets nothing pass")
        self._requests = None if rates.requests is None else Bucket(rates.requests)
        self._tokens = None if rates.tokens is None else Minute(rates.tokens)
        self._input = None if rates.input_tokens is None else Minute(rates.input_tokens)
        self._output = None if rates.output_tokens is None else Minute(rates.output_tokens)

    def wait(self, need: Need, now: float) -> float:
        """See `Allowing`."""
        return max(
            0.0 if self._requests is None else self._requests.wait(need.requests, now),
            0.0 if self._tokens is None else self._tokens.wait(need.input + need.output, now),
            0.0 if self._input is None else self._input.wait(need.input, now),
            0.0 if self._output is None else self._output.wait(need.output, now),
        )

    def take(self, need: Need, now: float) -> int:
        """See `Allowing`."""
        if self._requests is not None:
            self._requests.take(need.requests, now)
        if self._tokens is not None:
            self._tokens.take(need.input + need.output, now)
        if self._input is not None:
            self._input.take(need.input, now)
        if self._output is not None:
            self._output.take(need.output, now)
        return math.floor(now)

    def settle(self, taken: int, need: Need, used: Need) -> None:
        """See `Allowing`."""
        if self._tokens is not None:
            self._tokens.correct(taken, used.input + used.output - need.input - need.output)
        if self._input is not None:
            self._input.correct(taken, used.input - need.input)
        if self._output is not None:
            self._output.correct(taken, used.output - need.output)

    def give_back(self, requests: int, tokens: int, taken: int, now: float) -> None:
        """What was taken in the second `taken` and will not be used.

        Args:
            requests: How many.
            tokens: Of prompts and answers together; fewer than none where more were used.
            taken: What `take` said.
            now: Seconds.
        """
        if self._requests is not None and requests:
            self._requests.take(-requests, now)
        if self._tokens is not None and tokens:
            self._tokens.correct(taken, -tokens)
