"""Forged roles: a user's text that spells a special token would become that token on a route that takes raw text.

`neutralise` puts a zero-width space behind the first character of each such spelling: a person reads the same, the
tokenizer reads plain text. Its limits: the text is one invisible character longer where it spells a token (even where
it meant to, as `<s>` in HTML), and a model may copy the character. Text of the system and of the assistant is the
caller's own and stays as it is.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from hfgen.errors import PromptError
from hfgen.generation import SpecialTokens
from hfgen.messages import Message, Messages

_ZERO_WIDTH_SPACE: Final = "\u200b"
_FIELDS: Final = ("name", "tool_call_id")  # what templates print beside the content
_FOREIGN: Final = frozenset({"user", "tool"})
# Spellings that are tokens in one tokenizer or another whether or not the template names them.
_ALWAYS: Final = r"<\|[^\s<>|]+\|?>|<[^\s<>|]+\|>|<｜[^\s<>｜]+｜>|\[\|[^\s\[\]|]+\|\]"
# Spellings that are tokens only of models whose template uses them: <start_of_turn>, </s>, [INST], [gMASK].
_NAMED: Final = re.compile(r"</?[A-Za-z_][\w:.-]*>|\[/?[A-Za-z]?[A-Z]{2}[A-Z_]*\]")


def pattern_of(special_tokens: Iterable[str], layout: str) -> re.Pattern[str]:
    """What finds the special tokens of a model, those that overlap as well.

    Args:
        special_tokens: The tokenizer's own.
        layout: The template's source, or a prompt in the family's layout.
    """
    return re.compile(f"(?={spellings_of(special_tokens, layout)})")


def spellings_of(special_tokens: Iterable[str], layout: str) -> str:
    """What matches each special token as a whole, the longest first; arguments as for `pattern_of`."""
    known = {token for token in special_tokens if token.strip()} | set(_NAMED.findall(layout))
    spelled = sorted(map(re.escape, known), key=len, reverse=True)
    return "|".join([*spelled, _ALWAYS])


def guarded(messages: Messages, pattern: re.Pattern[str], mode: SpecialTokens) -> Messages:
    """The messages with what users and tools wrote made harmless; the same ones where there is nothing to do.

    Raises:
        PromptError: `mode` is "refuse" and a message spells a special token.
    """
    if mode == "keep":
        return messages
    return [_guarded(index, message, pattern, mode) for index, message in enumerate(messages)]


def _guarded(index: int, message: Message, pattern: re.Pattern[str], mode: SpecialTokens) -> Message:
    if message["role"] not in _FOREIGN:
        return message
    pieces = list(_pieces(message))
    joined = "".join(pieces)
    places = [found.start() + 1 for found in pattern.finditer(joined)]
    if not places:
        return message
    if mode == "refuse":
        spelled = joined[places[0] - 1 : places[0] + 23]
        raise PromptError(
            f"messages[{index}] spells a special token of the model: {spelled!r}",
            hint="special_tokens_in_content='neutralise' keeps the text readable and takes the token's power.",
        )
    return _rewritten(message, iter(_broken(pieces, places)))


def _pieces(message: Message) -> Iterator[str]:
    """The texts of a message in order: a template may print the parts without anything between them."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    else:
        yield from (part["text"] for part in content or () if "text" in part)
    yield from (cast("Mapping[str, str]", message)[field] for field in _FIELDS if isinstance(message.get(field), str))


def _broken(pieces: Sequence[str], places: Sequence[int]) -> Iterator[str]:
    """The pieces with the space at the places, which count through all of them."""
    start = 0
    for piece in pieces:
        inside = [place - start for place in places if start < place <= start + len(piece)]
        cuts = [0, *inside, len(piece)]
        yield _ZERO_WIDTH_SPACE.join(piece[a:b] for a, b in itertools.pairwise(cuts))
        start += len(piece)


def _rewritten(message: Message, pieces: Iterator[str]) -> Message:
    copy: dict[str, Any] = dict(cast("Mapping[str, Any]", message))
    content = message.get("content")
    if isinstance(content, str):
        copy["content"] = next(pieces)
    elif content is not None:
        copy["content"] = [{**part, "text": next(pieces)} if "text" in part else part for part in content]
    for field in _FIELDS:
        if isinstance(copy.get(field), str):
            copy[field] = next(pieces)
    return cast("Message", cast("object", copy))
