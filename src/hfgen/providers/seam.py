"""Where a broken answer and its continuation meet: a few words are generated again, and checked before any is shown.

A server may go on, repeat some words, send the whole prefix again, or start over: in each case what was received turns
up at the beginning of what comes now, and is swallowed. Anything else is no continuation.
"""

import re
import unicodedata
from typing import Final, Protocol

from hfgen.errors import TruncatedStream
from hfgen.providers.surrogates import paired

_LONGEST_WORD: Final = 64  # characters; a script without spaces is cut inside its "word"
_REACH: Final = 256  # characters: how far back a server's repetition is looked for
_WORD: Final = re.compile(r"(?<!\S)\S")
_MODIFIERS: Final = "\u200d\ufe0e\ufe0f"  # zero-width joiner, variation selectors


class NotContinued(TruncatedStream):
    """What the server sends does not go on from the text that was received."""


class Join(Protocol):
    """Reads the beginning of a continuation."""

    def feed(self, piece: str) -> str | None:
        """The new text, behind all that was received before; None while that is not certain.

        Raises:
            NotContinued: What came does not go on from what was received.
        """
        ...

    def end(self) -> str:
        """The new text, now that the answer has ended.

        Raises:
            NotContinued: It ended before it had gone on from what was received.
        """
        ...


def anchor(received: str) -> int:
    """Where the prefix ends that a continuation is asked for: before the last word and the space in front of it.

    White space at the end of a prefix is trimmed by some servers and doubled by others, and a break seldom falls
    between two words. More words are taken back where the same ones stand a little earlier, or at the top: a server
    that repeats itself could not be told from one that goes on.
    """
    nearest = end = _before_the_last_word(received, len(received))
    while end and nearest - end < _REACH:
        if not _ambiguous(received, end):
            return end
        end = _before_the_last_word(received, end)
    return end and nearest


def _before_the_last_word(text: str, end: int) -> int:
    end = len(text[:end].rstrip())
    start = max((match.start() for match in _WORD.finditer(text, max(0, end - _LONGEST_WORD), end)), default=0)
    start = max(start, end - _LONGEST_WORD)
    while start > 0 and _changes_the_one_before(text, start):
        start -= 1
    return len(text[: max(0, start)].rstrip())


def _changes_the_one_before(text: str, at: int) -> bool:
    """No token begins with such a character."""
    return text[at] in _MODIFIERS or text[at - 1] == "\u200d" or unicodedata.combining(text[at]) > 0


def _ambiguous(received: str, end: int) -> bool:
    again = received[end:].lstrip()
    start = len(received) - len(again)
    return received.find(again, max(0, start - _REACH)) < start or received.lstrip().startswith(again)


class Seam:
    """Lets new text through once all that was received has come again, from the anchor on or from further back.

    Args:
        received: All text that had come before the break.
        prefix: How much of it the server was asked to go on from.
    """

    def __init__(self, received: str, prefix: int) -> None:
        starts = (*range(prefix, max(0, prefix - _REACH), -1), 0)
        self._expected = [received[at:].lstrip() for at in starts]  # the shortest first
        self._came = ""

    def feed(self, piece: str) -> str | None:
        """See `Join`."""
        self._came = paired(self._came + piece)
        came = self._came.lstrip()
        begun = _without_half(came)
        self._expected = [text for text in self._expected if came.startswith(text) or text.startswith(begun)]
        if not self._expected:
            raise NotContinued("the server does not go on from the text that it had sent")
        nearest = self._expected[0]
        return came[len(nearest) :] if came.startswith(nearest) else None

    def end(self) -> str:
        """See `Join`."""
        came = self._came.lstrip()
        whole = next((text for text in self._expected if came.startswith(text)), None)
        if whole is None:
            raise NotContinued("the server ended its answer before it had gone on from the text that it had sent")
        return came[len(whole) :]


class OpenSeam:
    """For sampling, where the same words may not come again: the prefix is all that was received.

    Only a server that starts over can be told from one that goes on; white space at the join is written once.
    """

    def __init__(self, received: str) -> None:
        self._received = received.lstrip()
        self._space = received[len(received.rstrip()) :]
        self._came = ""

    def feed(self, piece: str) -> str | None:
        """See `Join`."""
        self._came = paired(self._came + piece)
        came = self._came.lstrip()
        if self._received.startswith(_without_half(came)) and came != self._received:
            return None
        return self.end()

    def end(self) -> str:
        """See `Join`."""
        came = self._came.lstrip()
        if came.startswith(self._received):
            return came[len(self._received) :]
        if not self._space:
            return self._came
        return self._came.removeprefix(self._space) if self._came.startswith(self._space) else came


def _without_half(text: str) -> str:
    """Without the half of a character at its end, whose other half is still to come."""
    return text[:-1] if text and "\ud800" <= text[-1] <= "\udbff" else text
