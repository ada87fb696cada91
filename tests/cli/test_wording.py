"""Advice speaks the command line's language, and nothing else is touched."""

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given, strategies

import hfgen
from hfgen.cli.options import options
from hfgen.cli.wording import in_flags, reworded
from hfgen.errors import BadRequest, UsageError

SOURCES = Path(hfgen.__file__).parent


@pytest.mark.parametrize(
    ("library", "command_line"),
    [
        ("give api_base= of a server", "give --api-base of a server"),
        ("take the local model (model='local').", "take the local model (-m local)."),
        ("Allow more with idle_timeout= or timeout=.", "Allow more with -o idle_timeout or --timeout."),
        ("ask over a chat route (mode='chat')", "ask over a chat route (-o mode chat)"),
        ("leave out mode=, prompt= and action=.", "leave out -o mode, --raw and --continue-text."),
        ("temperature=-1.0: it must lie", "--temperature -1.0: it must lie"),
        ("or drop strict=True to go on", "or drop -o strict True to go on"),
        ("api_base is no address", "--api-base is no address"),
    ],
)
def test_an_argument_is_named_as_its_flag(library: str, command_line: str) -> None:
    assert in_flags(library) == command_line
    assert in_flags(command_line) == command_line


@pytest.mark.parametrize(
    "text",
    [
        "the model's name and its provider",
        "https://example.org/?model=gpt2&seed=1",
        "/home/me/api_base/x.gguf",
        "my_model=3 and tool_seed= and seed==1",
        "pip install 'hfgen[local]'",
        "Did you mean 'seed='?",
    ],
)
def test_all_else_stays_as_it_is(text: str) -> None:
    assert in_flags(text) == text


@given(strategies.text(alphabet=strategies.characters(exclude_characters="=_")))
def test_text_without_code_stays_as_it_is(text: str) -> None:
    assert in_flags(text) == text


def test_a_servers_own_words_are_never_touched() -> None:
    assert reworded(BadRequest("it says: seed= is bad", hint="Leave seed= out.")).message == "it says: seed= is bad"
    assert str(reworded(UsageError("proxy= is no URL", hint="Leave proxy= out."))) == (
        "--proxy is no URL\nLeave --proxy out."
    )


def test_no_hint_of_the_library_keeps_an_argument_in_pythons_spelling() -> None:
    hints = [hint for file in SOURCES.rglob("*.py") for hint in _hints(ast.parse(file.read_text(encoding="utf-8")))]
    assert len(hints) > 30
    for hint in hints:
        assert re.findall(r"\b\w+=", in_flags(hint)) == [], hint


def _hints(tree: ast.AST) -> list[str]:
    """The literal parts of whatever is given as `hint=`."""
    given_as = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "hint"]
    return [
        part.value
        for value in given_as
        for part in ast.walk(value)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


def test_the_advice_to_heal_is_a_command_that_works() -> None:
    hint = in_flags("With heal=True hfgen asks this server too for the rest.")

    assert hint == "With -o heal True hfgen asks this server too for the rest."
    assert options([("heal", "True")]) == {"heal": True}
