"""`hfgen chat`: one answer, or a conversation."""

import asyncio
import difflib
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from hfgen.cli.output import output_for
from hfgen.errors import UsageError
from hfgen.events import Event
from hfgen.generation import Options
from hfgen.media import Media, sniff
from hfgen.messages import ImageURL, Message, Part

_LARGEST_PICTURE: Final = 32 * 2**20


@click.command("chat")
@click.argument("prompt", nargs=-1)
@click.option("-m", "--model", envvar="HFGEN_MODEL", help="owner/name[:provider], an alias, or local.")
@click.option("-s", "--system", help="The system prompt.")
@click.option("-o", "--option", "pairs", nargs=2, multiple=True, metavar="KEY VALUE", help="Any option, such as top_p.")
@click.option("--api-base", envvar="HFGEN_API_BASE", help="A server: its root, its /v1, or a full path.")
@click.option("--api-key", envvar="HFGEN_API_KEY", help="Its key; better in HFGEN_API_KEY than here.")
@click.option("--model-file", type=click.Path(dir_okay=False), help="A GGUF file for the local engine.")
@click.option("--provider", help="An Inference Provider, such as together.")
@click.option("--max-tokens", type=int, default=1024, show_default=True)
@click.option("--temperature", type=float)
@click.option("--seed", type=int)
@click.option("--timeout", type=float, default=600.0, show_default=True, help="The longest silence, in seconds.")
@click.option("--proxy", help="http://… or socks5://…")
@click.option("--no-stream", is_flag=True, help="Show the answer when it is whole.")
@click.option("--continue-text", metavar="TEXT", help="The assistant's unfinished words, to be continued.")
@click.option("-a", "--attach", multiple=True, metavar="FILE|URL", help="A picture for a model that sees.")
@click.option("-r", "--raw", is_flag=True, help="Send the prompt as it is, without a chat template.")
@click.option("--json", "as_json", is_flag=True, help="One JSON event a line.")
@click.option("--no-markdown", is_flag=True, help="Plain text on a terminal too.")
@click.option("-v", "--verbose", is_flag=True)
def command(prompt: tuple[str, ...], **given: Any) -> int | None:
    """Stream an answer to PROMPT; without one, on a terminal, hold a conversation."""
    text = question(prompt)
    arguments = _arguments(given)
    if text is None and not given["continue_text"]:
        from hfgen.cli.repl import converse  # noqa: PLC0415 - readline is for terminals only

        return converse(given, arguments)
    messages = _messages(text or "", given)
    if given["raw"]:
        arguments |= {"prompt": text}
        messages = []
    return asyncio.run(answer(given, messages, arguments))


def question(words: tuple[str, ...]) -> str | None:
    """What stdin and the arguments ask, stdin first; None when nothing was asked on a terminal.

    Raises:
        UsageError: Neither says anything.
    """
    said = " ".join(word for word in words if word != "-")
    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
    if not words and not piped and sys.stdin is not None and sys.stdin.isatty():
        return None
    text = "\n".join(part for part in (piped.rstrip("\n"), said) if part)
    if not text.strip():
        raise UsageError("there is no prompt", hint='Give one: hfgen "Why is the sky blue?"')
    return text


async def answer(given: Mapping[str, Any], messages: list[Message], arguments: Mapping[str, Any]) -> int:
    """Stream one answer to the terminal; leaving early closes the connection, so that the server stops."""
    from hfgen import HuggingFaceInference  # noqa: PLC0415 - brings the network along

    events = HuggingFaceInference.create_async_generator(given["model"], messages, **arguments)
    await shown(events, given)
    return 0


async def shown(events: AsyncGenerator[Event, None], given: Mapping[str, Any]) -> str:
    """Show every event; the text, whole."""
    pieces: list[str] = []
    form = output_for(as_json=given["as_json"], markdown=not given["no_markdown"], verbose=given["verbose"])
    with form:
        async with aclosing(events):
            async for event in events:
                form.show(event)
                if isinstance(event, str):
                    pieces.append(event)
    return "".join(pieces)


def _arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    names = ("api_base", "api_key", "model_file", "provider", "max_tokens", "temperature", "seed", "timeout", "proxy")
    arguments: dict[str, Any] = {name: given[name] for name in names}
    arguments["stream"] = not given["no_stream"]
    arguments |= {name: _option(name, value) for name, value in given["pairs"]}
    if given["continue_text"] is not None:
        arguments["action"] = "continue"
    return arguments


def _option(name: str, value: str) -> Any:
    """A value of `-o`: JSON where it is JSON, the text itself else."""
    known = [*Options.__annotations__, "aspect_ratio", "width", "height", "extra_data"]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"The options are: {', '.join(sorted(known))}."
        raise UsageError(f"no option is called {name!r}", hint=hint)
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def _messages(text: str, given: Mapping[str, Any]) -> list[Message]:
    messages: list[Message] = []
    if given["system"]:
        messages.append({"role": "system", "content": given["system"]})
    if given["attach"]:
        parts: list[Part] = [{"type": "text", "text": text}]
        parts.extend(Part(type="image_url", image_url=_picture(place)) for place in given["attach"])
        messages.append({"role": "user", "content": parts})
    elif text:
        messages.append({"role": "user", "content": text})
    if given["continue_text"] is not None:
        messages.append({"role": "assistant", "content": given["continue_text"]})
    return messages


def _picture(place: str) -> ImageURL:
    """A picture's URL; a file goes along whole.

    Raises:
        UsageError: No such file, or it is no picture.
    """
    if place.startswith(("http://", "https://", "data:")):
        return {"url": place}
    file = Path(place).expanduser()
    try:
        if file.stat().st_size > _LARGEST_PICTURE:
            raise UsageError(f"{file} is larger than {_LARGEST_PICTURE // 2**20} MiB")
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from error
    media_type = sniff(data)
    if not media_type:
        raise UsageError(f"{os.fspath(file)} is no picture", hint="PNG, JPEG, GIF, WebP, BMP and AVIF are known.")
    return {"url": Media(data, media_type).data_url()}
