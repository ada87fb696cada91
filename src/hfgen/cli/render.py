"""`hfgen render`: the exact prompt that would be sent, and nothing else."""

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import click
import msgspec

from hfgen.errors import UsageError
from hfgen.facts import ModelFacts
from hfgen.generation import Generation
from hfgen.messages import Message, check_messages


@click.command("render")
@click.option("-m", "--model", help="A model, whose record is asked of the Hub.")
@click.option("--model-info", type=click.Path(dir_okay=False), help="The Hub's record of a model, as a JSON file.")
@click.option("--template", type=click.Path(dir_okay=False), help="A chat template, as a Jinja file.")
@click.option("--tokens", type=click.Path(dir_okay=False), help="Its special tokens, as a JSON file.")
@click.option("--messages", "messages_file", required=True, help="The conversation, as a JSON file; - for stdin.")
@click.option("--tools", type=click.Path(dir_okay=False), help="Tools, as a JSON file.")
@click.option("--continue", "continues", is_flag=True, help="Leave the last message open.")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr where the template comes from.")
def command(**given: Any) -> None:
    """Print the exact prompt that a model gets for a conversation, to the byte, with no line end added."""
    from hfgen.prompts.inputs import render  # noqa: PLC0415 - brings jinja2 along

    said: object = _json(given["messages_file"])
    if not isinstance(said, list):
        raise UsageError(f"{given['messages_file']} holds no list of messages")
    messages = cast("list[Message]", said)
    check_messages(messages)
    facts, source = _facts(given)
    tools = _json(given["tools"]) if given["tools"] else ()
    asked = Generation(model=facts.id, messages=messages, continues=given["continues"], tools=tuple(tools))
    prompt = render(asked, facts)
    if given["verbose"]:
        tokens = ", ".join(f"{name}={token!r}" for name, token in facts.special_tokens.items())
        click.echo(f"template: {source}\ntokens: {tokens or 'none'}", err=True)
    sys.stdout.buffer.write(prompt.encode("utf-8", "surrogatepass"))
    sys.stdout.buffer.flush()


def _facts(given: dict[str, Any]) -> tuple[ModelFacts, str]:
    """The model's facts, and where they come from."""
    sources = [name for name in ("model", "model_info", "template") if given[name]]
    if len(sources) != 1:
        raise UsageError("give one of --model, --model-info, --template")
    if given["template"]:
        tokens: dict[str, str | None] = _json(given["tokens"]) if given["tokens"] else {}
        known = {name: token for name, token in tokens.items() if token}
        text = _read(given["template"])
        return ModelFacts(id="", special_tokens=known, templates={"default": text}), given["template"]
    if given["model_info"]:
        facts = ModelFacts.from_hub(_json(given["model_info"]))
        return facts, f"{given['model_info']} ({_kind(facts)})"
    facts = asyncio.run(_asked(given["model"]))
    return facts, f"the Hub's record of {facts.id} at {facts.revision or '?'} ({_kind(facts)})"


def _kind(facts: ModelFacts) -> str:
    return "its chat template" if facts.templates else f"no template: the formatter of the family {facts.family!r}"


async def _asked(model: str) -> ModelFacts:
    from hfgen import HuggingFaceInference, Session  # noqa: PLC0415 - brings the network along
    from hfgen.hub.client import find_token, model_facts  # noqa: PLC0415

    async with Session() as session:
        return await model_facts(session, HuggingFaceInference.get_model(model).partition(":")[0], await find_token())


def _json(file: str) -> Any:
    try:
        return msgspec.json.decode(_read(file))
    except msgspec.DecodeError as error:
        raise UsageError(f"{file} is no JSON: {error}") from error


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
