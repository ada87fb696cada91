"""Markdown that grows on a terminal: nothing is lost, nothing stands twice, however it comes and however long it is."""

import re
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, strategies as st
from rich.console import Console

from command_line import Talker, terminal
from hfgen.cli.blocks import blocks, drawn
from loopback import serving
from screen import Screen

LONG: Final = (
    "# A title\n\nWith **bold**, 漢字漢字漢字 and a [link](http://example.org/x),\n#hashtag in a second line.\n\n"
    "- one\n"
    "  - deeper 😀\n- two\n\n```python\n"
    + "".join(f"row{number} = {number}\n" for number in range(40))
    + "```\n\n| a | b |\n|---|---|\n| 1 | x |\n| 2 | a longer cell |\n\n"
    + "".join(f"{number}. item{number}\n" for number in range(1, 40))
    + "\n---\n\n> quoted\n\nAnd <b>tags</b>. The end"
)
PIECES: Final = [LONG[at : at + 7] for at in range(0, len(LONG), 7)]


def as_a_whole(source: str, columns: int) -> str:
    console = Console(width=columns, color_system=None, force_terminal=False)
    return "\n\n".join("\n".join(drawn(block, console)) for block in blocks(f"{source}\n"))


async def shown(*pieces: str, size: tuple[int, int] = (60, 15), **more: str) -> str:
    """What stands on the terminal and above it, up to the line about the answer."""
    async with (
        serving(Talker(*pieces)) as server,
        terminal("--api-base", server.url, "hi", size=size, **more) as screen,
    ):
        assert await screen.end() == 0
    emulated = Screen(*size)
    emulated.feed(screen.written)
    return emulated.text.partition("\na-model ")[0]


@pytest.mark.parametrize("size", [(60, 15), (100, 50), (30, 5)])
async def test_a_long_answer_stands_there_once_and_whole(size: tuple[int, int]) -> None:
    assert await shown(*PIECES, size=size, NO_COLOR="1") == as_a_whole(LONG, size[0])


async def test_colours_change_nothing_of_the_text() -> None:
    text = await shown(*PIECES)
    for wanted in [*(f"row{number} = {number}" for number in range(40)), *(f"item{number}" for number in range(1, 40))]:
        assert [line.split()[-1] for line in text.splitlines() if line.strip()].count(wanted.split()[-1]) >= 1
        assert text.count(f" {wanted}\n") == 1
    assert text.endswith("And <b>tags</b>. The end")


async def test_a_verse_keeps_its_lines() -> None:
    assert await shown("Roses are red,\nviolets are blue") == "Roses are red,\nviolets are blue"


async def test_columns_is_honoured() -> None:
    assert max(map(len, (await shown("word " * 60, COLUMNS="20")).splitlines())) <= 20


async def test_on_a_dumb_terminal_the_text_is_plain() -> None:
    async with (
        serving(Talker("some **bold** text")) as server,
        terminal("--api-base", server.url, "hi", TERM="dumb") as screen,
    ):
        assert await screen.end() == 0
    assert "some **bold** text\r\n" in screen.written
    assert "\x1b" not in screen.written


async def test_without_colour_the_layout_stays() -> None:
    async with (
        serving(Talker("- *one*\n\n`x = 1`")) as server,
        terminal("--api-base", server.url, "hi", NO_COLOR="1") as screen,
    ):
        await screen.end()
    assert " • " in screen.written
    assert re.search(r"\x1b\[[\d;]*[349]\d", screen.written) is None
    assert "\x1b[2m" not in screen.written


async def test_a_terminal_is_not_driven_by_what_a_model_says() -> None:
    evil = "\x1b]52;c;aGk=\x07 plain \u202e [x](\x1b[2J)"
    for flags in ((), ("--no-markdown",)):
        async with (
            serving(Talker(evil)) as server,
            terminal(*flags, "--api-base", server.url, "hi") as screen,
        ):
            await screen.end()
        assert "\\x1b]52;c;aGk=\\x07 plain \\x202e" in screen.written
        Screen().feed(screen.written)


@given(
    st.lists(
        st.sampled_from(
            ["#", "a ", "\n", "\n\n", "- ", "    ", "```", "|", "1. ", "> ", "---", "<b>", "[x]: y", "\u2028"]
        )
    )
)
def test_blocks_are_the_source_cut_up_and_stay_cut(parts: list[str]) -> None:
    source = "".join(parts)
    assert "".join(blocks(source)) == source
    cuts = [blocks("".join(parts[:count])) for count in range(len(parts) + 1)]
    for before, after in pairwise(cuts):
        assert after[: len(before[:-1])] == before[:-1], "a finished block stays as it is"


def test_the_tests_screen_scrolls_as_a_terminal_does() -> None:
    screen = Screen(5, 2)
    screen.feed("one\r\n漢字漢\r\nx\r\x1b[1Ay\x1b[K")
    assert screen.text == "one\n漢字\ny\nx"
