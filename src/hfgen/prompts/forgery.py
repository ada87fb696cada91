"""Forged roles: a user's text that spells a special token would become that token on a route that takes raw text.

`neutralise` puts a zero-width space behind the first character of each such spelling: a person reads the same, the
tokenizer reads plain text. Which key a template prints, and next to which, is the template's own affair: so every text
of such a message counts, under whatever key and however deep, and in a message of several texts the beginning of a
token at the end of one counts too, as the next may complete it. Limits: docs/special-tokens.md.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, cast

from hfgen.errors import PromptError
from hfgen.messages import Message, Messages
from hfgen.options import SpecialTokens
from hfgen.prompts.conversation import copied

_ZERO_WIDTH_SPACE: Final = "\u200b"
_FIXED: Final = frozenset({"role", "type"})
_FOREIGN: Final = frozenset({"user", "tool"})
# Spellings that are tokens in one tokenizer or another whether or not the template names them.
_ALWAYS: Final = r"<\|[^\s<>|]+\|?>|<[^\s<>|]+\|>|<｜[^\s<>｜]+｜>|\[\|[^\s\[\]|]+\|\]"
# The same, cut short.
_BEGUN: Final = r"<\|?[^\s<>|]*\|?|<｜[^\s<>｜]*｜?|\[(?:\|[^\s\[\]|]*\|?)?"
# Spellings that are tokens only of models whose template uses them: <start_of_turn>, </s>, [INST], [gMASK].
_NAMED: Final = re.compile(r"</?[A-Za-z_][\w:.-]*>|\[/?[A-Za-z]?[A-Z]{2}[A-Z_]*\]")


class Spellings:
    """What spells a special token of one model.

    Args:
        special_tokens: The tokenizer's own.
        layout: The template's source, or a prompt in the family's layout.
    """

    def __init__(self, special_tokens: Iterable[str], layout: str) -> None:
        known = {token for token in special_tokens if token.strip()} | set(_NAMED.findall(layout))
        whole = "|".join([*map(re.escape, sorted(known, key=len, reverse=True)), _ALWAYS])
        begun = {token[:end] for token in known for end in range(1, len(token))}
        beginning = "|".join([*map(re.escape, begun), _BEGUN])
        self.whole = re.compile(f"({whole})")
        """Each token as a whole, the longest first."""
        # A template may trim what it prints.
        self._open = re.compile(rf"{whole}|(?:{beginning})\s*\Z")
        self._first = re.compile("[" + re.escape("".join({token[0] for token in known} | {"<", "["})) + "]")

    def places(self, text: str, *, another_follows: bool) -> list[int]:
        """Where tokens begin in a text, those that overlap as well.

        Args:
            text: Where to look.
            another_follows: Another text may follow, so the beginning of a token at the end counts.
        """
        pattern = self._open if another_follows else self.whole
        return [found.start() for found in self._first.finditer(text) if pattern.match(text, found.start())]


def guarded(messages: Messages, spellings: Spellings, mode: SpecialTokens) -> Messages:
    """The messages with what users and tools wrote made harmless; the same ones where there is nothing to do.

    Raises:
        PromptError: `mode` is "refuse" and a message spells a special token.
    """
    if mode == "keep":
        return messages
    return [
        cast("Message", harmless(f"messages[{index}]", message, spellings, mode))
        if message["role"] in _FOREIGN
        else message
        for index, message in enumerate(messages)
    ]


def harmless(where: str, value: object, spellings: Spellings, mode: SpecialTokens) -> Any:
    """A message or a document whose texts, its keys among them, spell no special token; itself where none did.

    Raises:
        PromptError: `mode` is "refuse" and one does; `where` is named.
    """
    copy: object = copied(where, value)  # texts in objects of other kinds count as well
    several = len(list(_texts(copy))) > 1

    def broken(text: str) -> str:
        places = spellings.places(text, another_follows=several)
        if places and mode == "refuse":
            raise PromptError(
                f"{where} spells a special token of the model: {text[places[0] :][:24]!r}",
                hint="special_tokens_in_content='neutralise' keeps the text readable and takes the token's power.",
            )
        starts, ends = [0, *(place + 1 for place in places)], [*(place + 1 for place in places), len(text)]
        return _ZERO_WIDTH_SPACE.join(text[start:end] for start, end in zip(starts, ends, strict=True))

    rewritten = _rewritten(copy, broken)
    return value if rewritten == copy else rewritten


def _texts(value: object) -> Iterator[str]:
    """Every text in a plain value but a message's role, which is one of five."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in cast("dict[object, object]", value).items():
            if key not in _FIXED:
                yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in cast("list[object]", value):
            yield from _texts(item)


def _rewritten(value: Any, rewrite: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return rewrite(value)
    if isinstance(value, dict):
        pairs = cast("dict[object, Any]", value).items()
        return {_rewritten(key, rewrite): _rewritten(item, rewrite) for key, item in pairs}
    if isinstance(value, (list, tuple)):
        texts = [_rewritten(item, rewrite) for item in cast("list[Any]", value)]
        return tuple(texts) if isinstance(value, tuple) else texts
    return value
