"""Markdown that still grows: what of it can no longer change."""

from functools import cache
from typing import NamedTuple

from markdown_it import MarkdownIt
from rich.markdown import Markdown, UnknownElement


class Parts(NamedTuple):
    """Blocks that are finished, and the rest, which more text may still change."""

    finished: str
    rest: str
    gap: bool
    """Whether an empty line stands between the two when they are drawn."""


def split(source: str) -> Parts:
    """Cut before the last block of the whole lines: what comes later can change that one, and none before it.

    A line that is not yet whole decides nothing: `#` begins a heading until it turns out to be `#hashtag`. (A link
    that is defined further down than it is used stays as it was written.)
    """
    whole = source[: source.rfind("\n") + 1]
    starts = [(token.type, token.map[0]) for token in _parser().parse(whole) if token.level == 0 and token.map]
    if len(starts) < 2:  # noqa: PLR2004 - the last one, and one before it
        return Parts("", source, gap=False)
    line = starts[-1][1]
    cut = sum(len(text) for text in whole.split("\n")[:line]) + line
    return Parts(source[:cut], source[cut:], gap=leaves_gap(starts[-2][0]))


def leaves_gap(kind: str) -> bool:
    """Whether rich draws an empty line after a block of this kind."""
    return Markdown.elements.get(kind, UnknownElement).new_line


@cache
def _parser() -> MarkdownIt:
    """As rich's own: both must see the same blocks."""
    return MarkdownIt().enable("strikethrough").enable("table")
