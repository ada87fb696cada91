"""Markdown that still grows, block by block, as a terminal shows it."""

from collections.abc import Iterator
from functools import cache
from itertools import accumulate, pairwise
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console
from rich.markdown import Markdown

_AS_TEXT: Final = ("reference", "html_block", "html_inline")


def blocks(source: str) -> list[str]:
    """The top-level blocks, whose text joined is the source; what comes later can change the last one only.

    A line that is not yet whole decides nothing: `#` begins a heading until it turns out to be `#hashtag`.
    """
    whole = source[: source.rfind("\n") + 1]
    at = [0, *accumulate(len(line) + 1 for line in whole.split("\n"))]  # where each line begins
    starts = [at[token.map[0]] for token in _parser().parse(whole) if token.level == 0 and token.map]
    return [source[begin:end] for begin, end in pairwise([0, *starts[1:], len(source)]) if begin < end]


def drawn(block: str, console: Console) -> list[str]:
    """The lines that a terminal shows, without the empty ones that rich puts around some kinds."""
    shown = Markdown("", hyperlinks=False)  # a link's address stands beside it: its text may say anything
    shown.parsed = list(_with_breaks(_parser().parse(block)))
    with console.capture() as captured:
        console.print(shown)
    lines = [line.rstrip(" ") for line in captured.get().split("\n")]
    filled = [index for index, line in enumerate(lines) if line]
    return lines[filled[0] : filled[-1] + 1] if filled else []


def _with_breaks(tokens: list[Token]) -> Iterator[Token]:
    """A line end of the model's is one of the terminal's: a verse is no paragraph."""
    for token in tokens:
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"
        yield token


@cache
def _parser() -> MarkdownIt:
    """CommonMark and tables; what would show nothing (tags, link definitions) is text: nothing of an answer is lost."""
    return MarkdownIt().enable(["strikethrough", "table"]).disable(_AS_TEXT)
