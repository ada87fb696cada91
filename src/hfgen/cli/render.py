"""`hfgen render`: the exact prompt that would be sent, and nothing else."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import click
import msgspec
from msgspec.structs import replace

from hfgen.cli.prompt_view import account, view
from hfgen.cli.running import stoppable
from hfgen.errors import UsageError
from hfgen.facts import ModelFacts
from hfgen.generation import Generation
from hfgen.messages import Message, check_messages, ends_with_assistant
from hfgen.options import SpecialTokens
from hfgen.sources import facts_of_path, is_path

if TYPE_CHECKING:
    from hfgen.providers.plan import Plan

_FILE = click.Path(dir_okay=False, allow_dash=True)


@click.command("render")
@click.argument("prompt", required=False)
@click.option("-m", "--model", help="owner/name on the Hub, a model's folder (./…, /…) or a .gguf file.")
@click.option("--model-info", type=_FILE, help="The Hub's record of a model, as a JSON file.")
@click.option("--api-base", help="A server: the prompt that its raw route gets; --api-key where it wants one.")
@click.option("--api-key", envvar="HFGEN_API_KEY", help="For --api-base.")
@click.option("--template", type=_FILE, help="A chat template, as a Jinja file.")
@click.option("--tokens", type=_FILE, help="Its special tokens, as a JSON file.")
@click.option("--messages", "messages_file", type=_FILE, help="The conversation, as a JSON file; - for stdin.")
@click.option("--tools", type=_FILE, help="Tools, as a JSON file.")
@click.option("--documents", type=_FILE, help="Documents, as a JSON file.")
@click.option("--continue", "continues", is_flag=True, help="Leave the last message, the assistant's, open.")
@click.option("--no-generation-prompt", is_flag=True, help="Do not open the assistant's turn at the end.")
@click.option("--date", "now", help="What the template takes for now, such as 2026-01-31T09:00.")
@click.option("--template-name", help="One of the model's templates, such as rag.")
@click.option("-o", "pairs", nargs=2, multiple=True, metavar="KEY VALUE", help="A variable, such as enable_thinking.")
@click.option(
    "--special-tokens-in-content",
    "special",
    type=click.Choice(get_args(SpecialTokens)),
    help="See docs/special-tokens.md.",
)
@click.option("--color", is_flag=True, help="Colour special tokens, on a terminal.")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr where the template comes from, and what was done.")
def command(**given: Any) -> None:
    """Print the exact prompt that a model gets, to the byte, with no line end added.

    PROMPT is short for a conversation of one user message. What users and tools wrote is printed as raw routes send it:
    without the power to spell special tokens.
    """
    from hfgen.providers.inspection import of_facts, of_plan  # noqa: PLC0415 - brings jinja2 along

    asked, opens_turn, now = _asked(given), not given["no_generation_prompt"], _now(given["now"])
    if given["api_base"]:
        seen = of_plan(asked, asyncio.run(stoppable(_at_server(asked, given))), opens_turn=opens_turn, now=now)
    else:
        seen = of_facts(asked, _facts(given), opens_turn=opens_turn, now=now)
    if given["verbose"]:
        click.echo("\n".join(account(seen.asked, seen.facts, seen.prompt, rendered_by=seen.rendered_by)), err=True)
    if sys.stdout.isatty():
        shown = view(seen.prompt, seen.asked, seen.facts, color=given["color"])
        click.echo(shown, nl=False, color=given["color"] or None)
        return
    sys.stdout.buffer.write(seen.prompt.encode("utf-8", "surrogatepass"))
    sys.stdout.buffer.flush()


def _asked(given: dict[str, Any]) -> Generation:
    """The conversation and all that the template is given with it."""
    messages = _messages(given)
    if given["continues"] and not ends_with_assistant(messages):
        raise UsageError("--continue needs an assistant message at the end: there is nothing to continue")
    variables: dict[str, Any] = {name: _value(value) for name, value in given["pairs"]}
    if given["documents"]:
        variables["documents"] = _list(given["documents"])
    return Generation(
        messages=messages,
        continues=given["continues"],
        tools=tuple(_list(given["tools"])) if given["tools"] else None,
        template=given["template_name"] or "",
        template_kwargs=variables,
        special_tokens=given["special"],
    )


def _messages(given: dict[str, Any]) -> list[Message]:
    if (given["prompt"] is None) == (given["messages_file"] is None):
        raise UsageError("give one of PROMPT and --messages", hint="hfgen render -m owner/name 'Why is the sky blue?'")
    if given["prompt"] is not None:
        return [{"role": "user", "content": given["prompt"]}]
    messages = cast("list[Message]", _list(given["messages_file"]))
    check_messages(messages)
    return messages


async def _at_server(asked: Generation, given: dict[str, Any]) -> "Plan":
    """What would be sent to a server's raw route, and by which facts."""
    from hfgen import Session  # noqa: PLC0415 - brings the network along
    from hfgen.providers.endpoint import plan_endpoint  # noqa: PLC0415

    if given["model_info"] or given["template"] or given["tokens"]:
        raise UsageError("--api-base goes with --model at most: the server's model brings its own template")
    asked = replace(asked, model=given["model"] or "", mode="raw", fit=False)
    async with Session() as session:
        return await plan_endpoint(asked, given["api_base"], given["api_key"], session)


def _facts(given: dict[str, Any]) -> ModelFacts:
    """The model's facts, from the one place that was named."""
    sources = [name for name in ("model", "model_info", "template") if given[name]]
    if len(sources) != 1:
        raise UsageError("give one of --model, --model-info, --template, --api-base")
    if given["tokens"] and not given["template"]:
        raise UsageError("--tokens goes with --template; a model brings its own")
    if given["template"]:
        return _given(given["template"], given["tokens"])
    if given["model_info"]:
        facts = ModelFacts.from_hub(_object(given["model_info"]))
        return replace(facts, template_source=f"{facts.template_source}, read from {given['model_info']}")
    if is_path(given["model"]):
        return facts_of_path(given["model"])
    return asyncio.run(stoppable(_of_hub(given["model"])))


def _given(template: str, tokens: str | None) -> ModelFacts:
    named = _object(tokens) if tokens else {}
    known = {name: token for name, token in named.items() if isinstance(token, str)}
    return ModelFacts(id="", special_tokens=known, templates={"default": _read(template)}, template_source=template)


async def _of_hub(model: str) -> ModelFacts:
    from hfgen import HuggingFaceInference, Session  # noqa: PLC0415 - brings the network along
    from hfgen.hub.client import find_token, model_facts  # noqa: PLC0415

    async with Session() as session:
        return await model_facts(session, HuggingFaceInference.get_model(model).partition(":")[0], await find_token())


def _now(date: str | None) -> datetime | None:
    try:
        return None if date is None else datetime.fromisoformat(date)
    except ValueError:
        raise UsageError(f"--date {date}: it is no ISO date", hint="Such as 2026-01-31, or 2026-01-31T09:00.") from None


def _value(text: str) -> Any:
    """JSON where it is JSON, the text itself else."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _list(file: str) -> list[Any]:
    value = _json(file)
    if not isinstance(value, list):
        raise UsageError(f"{file} holds no JSON list")
    return [*cast("list[object]", value)]


def _object(file: str) -> dict[str, Any]:
    value = _json(file)
    if not isinstance(value, dict):
        raise UsageError(f"{file} holds no JSON object")
    return cast("dict[str, Any]", value)


def _json(file: str) -> object:
    try:
        return cast("object", msgspec.json.decode(_read(file)))
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"{file} is no JSON: {error}") from error


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
