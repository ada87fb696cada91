"""`hfgen chat`: one answer, or a conversation."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from hfgen.cli.asking import Asking, opening
from hfgen.cli.output import Output, error_lines, form_of, shown
from hfgen.cli.question import question
from hfgen.cli.running import stoppable
from hfgen.cli.terminal import is_terminal
from hfgen.errors import UsageError
from hfgen.messages import Message


def _names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of models that need no asking, for the shell's Tab."""
    from hfgen.hub.catalogue import MODEL_ALIASES, built_in_models  # noqa: PLC0415 - not needed for an answer

    names = sorted({*MODEL_ALIASES, *(model.id for model in built_in_models())})
    return [CompletionItem(name) for name in names if name.lower().startswith(incomplete.lower())]


def _files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


class Chat(click.Command):
    """`hfgen chat`, whose usage errors reach a program that asks for JSON too."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the flags; where one is wrong, `--json` among the words is enough to answer in JSON."""
        with error_lines(as_json="--json" in args):
            return super().parse_args(ctx, args)


@click.command("chat", cls=Chat)
@click.argument("prompt", nargs=-1)
@click.option(
    "-m", "--model", envvar="HFGEN_MODEL", shell_complete=_names, help="owner/name[:provider], an alias, or local."
)
@click.option("-s", "--system", help="The system prompt.")
@click.option("-o", "--option", "pairs", nargs=2, multiple=True, metavar="KEY VALUE", help="Any option, such as top_p.")
@click.option(
    "--api-base",
    multiple=True,
    envvar="HFGEN_API_BASE",
    help="A server: its root, its /v1, or a full path. Again for others with the same model, which stand in for it.",
)
@click.option("--api-key", envvar="HFGEN_API_KEY", help="Its key; better in HFGEN_API_KEY than here.")
@click.option("--model-file", type=click.Path(dir_okay=False), help="A GGUF file for the local engine.")
@click.option("--provider", help="An Inference Provider, such as together.")
@click.option("--max-tokens", type=int, default=1024, show_default=True, help="The longest answer.")
@click.option("--temperature", type=float, help="0 is greedy.")
@click.option("--seed", type=int, help="The same seed, the same answer, where the server can.")
@click.option("--timeout", type=float, default=600.0, show_default=True, help="The longest silence, in seconds.")
@click.option("--proxy", help="http://… or socks5://…")
@click.option("--no-stream", is_flag=True, help="Show the answer when it is whole.")
@click.option("--continue-text", metavar="TEXT", help="The assistant's unfinished words, to be continued.")
@click.option(
    "-a",
    "--attach",
    multiple=True,
    metavar="FILE|URL",
    shell_complete=_files,
    help="A picture for a model that sees.",
)
@click.option("-r", "--raw", is_flag=True, help="Send the prompt as it is, without a chat template.")
@click.option("--json", "as_json", is_flag=True, help="One JSON event a line; the last is a finish or an error.")
@click.option("--no-markdown", is_flag=True, help="Plain text on a terminal too.")
@click.option("-v", "--verbose", is_flag=True, help="Say which server was found and how it is asked.")
def command(prompt: tuple[str, ...], **given: Any) -> None:
    """Stream an answer to PROMPT; without one, on a terminal, hold a conversation.

    What is piped in comes before PROMPT; - stands for standard input. In a conversation /help lists the commands.
    """
    if given["verbose"]:
        from hfgen.cli.tracing import trace  # noqa: PLC0415 - logging is for those who ask

        trace()
    if _interactive(prompt, given):
        from hfgen.cli.repl import converse  # noqa: PLC0415 - readline is for terminals only

        converse(given)
        return
    with error_lines(as_json=given["as_json"]):
        _answer(prompt, given)


def _answer(words: tuple[str, ...], given: Mapping[str, Any]) -> None:
    """Answer one question; whatever was written is ended properly, however that ends."""
    asking = Asking.of(given)
    text = question(words)
    messages = opening(given, text)
    if not (messages and messages[-1]["role"] != "system") or (given["raw"] and not text):
        raise UsageError("there is no prompt", hint='Give one: hfgen "Why is the sky blue?"')
    more: dict[str, Any] = {}
    if given["continue_text"] is not None:
        more["action"] = "continue"
    if given["raw"]:
        more["prompt"], messages = text, []
    with form_of(given) as form:
        asyncio.run(stoppable(_stream(asking, messages, given["proxy"], more, form)))


async def _stream(
    asking: Asking, messages: list[Message], proxy: str | None, more: Mapping[str, Any], form: Output
) -> None:
    from hfgen import Session  # noqa: PLC0415 - brings the network along

    async with Session(proxy=proxy) as session:
        await shown(asking.ask(messages, session, **more), form.show)


def _interactive(words: tuple[str, ...], given: Mapping[str, Any]) -> bool:
    asked = words or given["attach"] or given["continue_text"] is not None
    return not asked and is_terminal(sys.stdin)
