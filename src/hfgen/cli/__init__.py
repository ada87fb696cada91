"""The command line. Each command is a file of its own, loaded when it is called."""

import gc
import importlib
import sys
from collections.abc import Sequence
from typing import Any, Final

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from hfgen import __version__

_COMMANDS: Final = {
    "batch": "Answer many rows as one job, each of them once.",
    "chat": "Stream an answer; what follows a bare `hfgen` goes here.",
    "image": "Paint pictures, each kept in a file of its own.",
    "models": "List, search, show and fetch models.",
    "render": "Print the exact prompt that a model would get.",
    "serve": "Serve the API of OpenAI, for any client that speaks it.",
}
_NEW_OBJECTS: Final = 20_000
_OWN: Final = frozenset({"--help", "-h", "--version"})
# \b is click's mark, the character itself: the paragraph after it keeps its lines.
_HELP: Final = """\
Stream text and pictures from any Hugging Face model, a server of yours, or the small model that comes along (text).

\b
hfgen "Why is the sky blue?"                       the local model, no token needed
hfgen -m meta-llama/Llama-3.3-70B-Instruct "Hi"    through Hugging Face (HF_TOKEN)
hfgen --api-base http://127.0.0.1:8080 "Hi"        any TGI, vLLM, llama.cpp, OpenAI-like server
cat notes.txt | hfgen "Summarise"                  standard input comes before the prompt
hfgen                                              a conversation
hfgen batch rows.csv --out answers.jsonl           many questions, each answered once
hfgen image "a red fox in snow"                    a picture, kept in a file (HF_TOKEN, or --api-base)
hfgen chat --help                                  all flags of a question

\b
Exit codes: 0 done, 1 anything else, 2 wrong usage, 3 rows of a batch failed, 4 token, 5 no such model,
6 quota or rate, 7 no answer, 8 cut off, 130 interrupted. NO_COLOR, FORCE_COLOR, COLUMNS and TERM=dumb are honoured;
HFGEN_DEBUG=1 shows tracebacks.
"""


class Commands(click.Group):
    """`hfgen PROMPT` is `hfgen chat PROMPT`; a command's module is imported when it is asked for."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(_COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"hfgen.cli.{cmd_name}").command
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `chat` in front of what is no command; a shell that completes the first word may mean either."""
        completes_first = ctx.resilient_parsing and not args
        if not (completes_first or (args and (args[0] in _COMMANDS or args[0] in _OWN))):
            args = ["chat", *args]
        return super().parse_args(ctx, args)

    @override
    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """For the first word: the commands, and the flags of `chat`."""
        if incomplete.startswith("-"):
            chat = self.get_command(ctx, "chat")
            own = super().shell_complete(ctx, incomplete)
            return [*own, *(chat.shell_complete(ctx, incomplete) if chat else ())]
        return [CompletionItem(name, help=text) for name, text in _COMMANDS.items() if name.startswith(incomplete)]

    @override
    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that has gone (`| head`) is no error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            from hfgen.cli.failures import reader_gone  # noqa: PLC0415 - loaded already, where it matters

            reader_gone()


@click.group(
    cls=Commands,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='Completion: eval "$(_HFGEN_COMPLETE=bash_source hfgen)" in your ~/.bashrc (zsh_source, fish_source too).',
)
@click.version_option(__version__, message="hfgen %(version)s")
def group() -> None:
    """What the commands share: nothing but the name."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    from hfgen.cli.failures import guarded  # noqa: PLC0415 - not needed for completion
    from hfgen.cli.terminal import write_utf8  # noqa: PLC0415

    # Python looks for cycles each 700 new objects. Nothing here makes many, and rows or streams side by side make
    # objects by the thousand: looking took a twelfth of a batch's time.
    gc.set_threshold(_NEW_OBJECTS)
    write_utf8()
    sys.exit(guarded(lambda: group.main(args=None if args is None else list(args), standalone_mode=False)))
