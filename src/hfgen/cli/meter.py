"""How much and how fast: the one line under an answer."""

import time

from hfgen.events import FinishReason, Usage


class Meter:
    """Notes when pieces of an answer come, and sums up at its end."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._first: float | None = None
        self._last = self._began
        self._pieces = 0

    def note(self) -> None:
        """A piece of the answer, or of the thinking before it, has come."""
        self._last = time.monotonic()
        self._pieces += 1
        if self._first is None:
            self._first = self._last

    def summary(self, end: FinishReason, usage: Usage) -> str:
        """Who answered, how much and how fast, on one line."""
        about = "about " if usage.estimated else ""
        parts = [end.model or "a model that gives no name", f"at {end.server}"]
        if usage.completion_tokens:
            noun = "token" if usage.completion_tokens == 1 else "tokens"
            parts += [f"{about}{usage.completion_tokens} {noun}", *self._rate(usage.completion_tokens)]
        if self._first is not None:
            parts.append(f"first after {self._first - self._began:.2f} s")
        if end.reason == "length":
            parts.append("cut at max_tokens, or at the end of the context")
        elif end.reason != "stop":
            parts.append(end.reason.replace("_", " "))
        if end.attempts > 1:
            parts.append(f"{end.attempts} attempts")
        return " · ".join(parts)

    def _rate(self, tokens: int) -> list[str]:
        """Tokens a second while they came; from the question on where all came at once; none where it says nothing."""
        if self._first is None or tokens < 2:  # noqa: PLR2004 - a rate is between two
            return []
        streamed = self._pieces > 1 and self._last > self._first
        spent = self._last - (self._first if streamed else self._began)
        return [f"{(tokens - 1 if streamed else tokens) / spent:.1f} tokens/s"] if spent else []
