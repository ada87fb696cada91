"""`<think>…</think>` in the text of a model that reasons: told apart from the answer, however it is cut."""

from hfgen.events import Reasoning

_OPEN = "<think>"
_CLOSE = "</think>"


class Thinking:
    """Splits a text that arrives in pieces into reasoning and answer.

    Only a `<think>` at the very beginning opens reasoning: a text that speaks of the tag later is left alone. `done`
    says that nothing more can change, so that the caller may stop asking.
    """

    def __init__(self, *, opened: bool = False) -> None:
        self._inside = opened
        self._fresh = opened  # the line end after the tag is no thought
        self._after = False
        self._held = ""
        self.done = False

    def feed(self, piece: str) -> list[str | Reasoning]:
        """The parts that are certain by now."""
        text, self._held = self._held + piece, ""
        if self._after:
            return self._answer(text)
        if not self._inside:
            return self._begin(text)
        return self._reason(text)

    def flush(self) -> list[str | Reasoning]:
        """What was held back, at the end of the stream."""
        held, self._held = self._held, ""
        if not held or self._after:
            return []
        return [Reasoning(held) if self._inside else held]

    def _begin(self, text: str) -> list[str | Reasoning]:
        start = text.lstrip()
        if start.startswith(_OPEN):
            self._inside = self._fresh = True
            return self._reason(start[len(_OPEN) :])
        if _OPEN.startswith(start):  # may yet become the tag; an empty start is still only white space
            self._held = text
            return []
        self.done = True
        return [text]

    def _reason(self, text: str) -> list[str | Reasoning]:
        if self._fresh:
            text = text.lstrip("\n")
            self._fresh = not text
        inner, tag, rest = text.partition(_CLOSE)
        if tag:
            self._inside, self._after = False, True
            before: list[str | Reasoning] = [Reasoning(inner)] if inner else []
            return before + self._answer(rest)
        keep = next((n for n in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:n])), 0)
        self._held = text[len(text) - keep :]
        inner = text[: len(text) - keep]
        return [Reasoning(inner)] if inner else []

    def _answer(self, text: str) -> list[str | Reasoning]:
        """The blank lines between the tag and the answer belong to neither; an indentation is the answer's."""
        if not text.strip():
            self._held = text
            return []
        lead = text[: len(text) - len(text.lstrip())]
        self.done = True
        return [text[lead.rfind("\n") + 1 :]]
