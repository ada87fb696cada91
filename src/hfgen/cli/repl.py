"""A conversation at the terminal."""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from hfgen.cli.chat import shown
from hfgen.errors import HfgenError
from hfgen.messages import Message

_HELP: Final = """/system TEXT  the system prompt, from now on
/model NAME   another model, from now on
/reset        forget the conversation
/exit         leave (Ctrl-D does too)
Ctrl-C stops an answer and keeps what came."""
_KEPT: Final = 1000


def converse(given: Mapping[str, Any], arguments: Mapping[str, Any]) -> int:
    """Read, answer, and remember, until the end of the input."""
    settings = dict(given)
    messages: list[Message] = []
    _history()
    click.echo(click.style("A conversation. /help for help, Ctrl-D to leave.", dim=True), err=True)
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            click.echo(err=True)
            return 0
        except KeyboardInterrupt:
            click.echo(err=True)
            return 130
        if line.startswith("/"):
            if _obey(line, settings, messages):
                return 0
        elif line:
            messages.append({"role": "user", "content": line})
            text = _answered(settings, messages, arguments)
            if text:
                messages.append({"role": "assistant", "content": text})
            else:
                messages.pop()  # it was not answered: asking again must not ask twice


def _answered(settings: Mapping[str, Any], messages: list[Message], arguments: Mapping[str, Any]) -> str:
    from hfgen import HuggingFaceInference  # noqa: PLC0415 - brings the network along

    system: list[Message] = [{"role": "system", "content": settings["system"]}] if settings["system"] else []
    pieces: list[str] = []

    async def run() -> None:
        asked = [*system, *messages]
        events = HuggingFaceInference.create_async_generator(settings["model"], asked, **arguments)
        pieces.append(await shown(events, settings))

    try:
        asyncio.run(run())
    except HfgenError as error:
        click.echo(f"hfgen: {error}", err=True)
        return error.partial
    except KeyboardInterrupt:
        click.echo(err=True)
    return "".join(pieces)


def _obey(line: str, settings: dict[str, Any], messages: list[Message]) -> bool:
    """Do what a line that begins with a slash says; True to leave."""
    word, _, rest = line.partition(" ")
    match word:
        case "/exit" | "/quit" | "/bye":
            return True
        case "/reset":
            messages.clear()
        case "/system":
            settings["system"] = rest
        case "/model":
            settings["model"] = rest or None
        case _:
            click.echo(_HELP, err=True)
    return False


def _history() -> None:
    """Lines of earlier conversations at the arrow keys, where there is a readline."""
    with contextlib.suppress(ImportError, OSError):
        import atexit  # noqa: PLC0415
        import readline  # noqa: PLC0415

        home = Path(os.environ.get("HFGEN_HOME") or Path.home() / ".cache" / "hfgen")
        home.mkdir(parents=True, exist_ok=True)
        file = home / "history"
        file.touch(mode=0o600)
        readline.read_history_file(file)
        readline.set_history_length(_KEPT)
        atexit.register(readline.write_history_file, file)
