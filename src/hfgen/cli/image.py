"""`hfgen image`: pictures from words, each in a file of its own."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from hfgen.cli.asking import Asking
from hfgen.cli.options import options
from hfgen.cli.output import error_lines
from hfgen.cli.question import question
from hfgen.cli.running import stoppable
from hfgen.cli.wording import FLAGS, worded
from hfgen.errors import MissingAuth, ModelNotSupportedError, UsageError

if TYPE_CHECKING:
    from hfgen.cli.gallery import Gallery

# By flag, in the words of the library.
_ARGUMENTS: Final = (
    "api_base", "api_key", "provider", "aspect_ratio", "width", "height", "seed", "timeout",
    "n", "negative_prompt", "num_inference_steps", "guidance_scale", "scheduler",
)  # fmt: skip
_FLAGS: Final = {
    "aspect_ratio": "--aspect-ratio",
    "width": "--width",
    "height": "--height",
    "n": "-n",
    "negative_prompt": "--negative-prompt",
    "num_inference_steps": "--steps",
    "guidance_scale": "--guidance",
    "scheduler": "--scheduler",
}
_WAYS: Final = (
    "Set HF_TOKEN or run `hf auth login` for Hugging Face's providers; "
    "or give --api-base, the address of a server that makes pictures."
)
# \b is click's mark, the character itself: the paragraph after it keeps its lines.
_HELP: Final = """\
Paint what PROMPT says, and keep each picture in a file of its own.

\b
hfgen image "a red fox in snow"                            the default model, HF_TOKEN
hfgen image -m flux-schnell --aspect-ratio 16:9 -n 4 "…"   four of them, wide
hfgen image --api-base http://127.0.0.1:8080 "…"           a server of yours
open "$(hfgen image "…")"                                  paths are all that stdout gets
hfgen image --json "…" | jq -r 'select(.type=="image").seed'

Files are named words-of-the-prompt-SEED-HASH.png, and none is ever overwritten. A JSON file beside each, and text
inside a PNG, say what made it. What is piped in comes before PROMPT; - stands for standard input.

Pictures need a token or a server: no text-to-image model comes along with hfgen.
"""


def _names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of models that paint, for the shell's Tab."""
    from hfgen.hub.catalogue import IMAGE_MODELS, MODEL_ALIASES  # noqa: PLC0415 - not needed for a picture

    names = sorted({*IMAGE_MODELS, *(alias for alias, name in MODEL_ALIASES.items() if name in IMAGE_MODELS)})
    return [CompletionItem(name) for name in names if name.lower().startswith(incomplete.lower())]


class Image(click.Command):
    """`hfgen image`, whose usage errors reach a program that asks for JSON too."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the flags; where one is wrong, `--json` among the words is enough to answer in JSON."""
        with error_lines(as_json="--json" in args):
            return super().parse_args(ctx, args)


@click.command("image", cls=Image, help=_HELP)
@click.argument("prompt", nargs=-1)
@click.option(
    "-m", "--model", envvar="HFGEN_IMAGE_MODEL", shell_complete=_names, help="owner/name[:provider], or an alias."
)
@click.option("--aspect-ratio", metavar="W:H", help="16:9, any other, or square, landscape, portrait.")
@click.option("--width", type=int, help="In pixels; wins over the ratio.")
@click.option("--height", type=int, help="In pixels; wins over the ratio.")
@click.option("-n", "n", type=click.IntRange(min=1), default=1, show_default=True, help="How many pictures.")
@click.option("--seed", type=int, help="The same seed, the same picture, where the server can.")
@click.option("--negative-prompt", metavar="TEXT", help="What should not be there.")
@click.option("--steps", "num_inference_steps", type=int, help="More are slower and finer.")
@click.option("--guidance", "guidance_scale", type=float, help="How closely to follow the prompt.")
@click.option("--scheduler", help="The sampler's name, where the server has several.")
@click.option("--provider", help="An Inference Provider, such as fal-ai.")
@click.option("--api-base", multiple=True, envvar="HFGEN_API_BASE", help="A server: its root, its /v1, or a full path.")
@click.option("--api-key", envvar="HFGEN_API_KEY", help="Its key; better in HFGEN_API_KEY than here.")
@click.option("-o", "--option", "pairs", nargs=2, multiple=True, metavar="KEY VALUE", help="Any option of the library.")
@click.option("--timeout", type=float, default=600.0, show_default=True, help="The longest silence, in seconds.")
@click.option("--proxy", help="http://… or socks5://…")
@click.option(
    "--out", type=click.Path(), default=".", metavar="DIR", help="The folder, made if need be; else this one."
)
@click.option("--no-sidecar", is_flag=True, help="No JSON file beside each picture.")
@click.option("--open", "opens", is_flag=True, help="Show the pictures with the system's viewer.")
@click.option(
    "--preview",
    type=click.Choice(("kitty", "iterm2", "sixel")),
    help="How this terminal shows pictures, where hfgen cannot tell.",
)
@click.option("--no-preview", is_flag=True, help="No picture inside the terminal.")
@click.option("--json", "as_json", is_flag=True, help="One JSON event a line; the last is a finish or an error.")
@click.option("--data", "with_data", is_flag=True, help="With --json: each picture's bytes too, as a data URL.")
@click.option("-v", "--verbose", is_flag=True, help="Say which server was found and how it is asked.")
def command(prompt: tuple[str, ...], **given: Any) -> None:
    """Paint; `_HELP` is what a person reads."""
    if given["verbose"]:
        from hfgen.cli.tracing import trace  # noqa: PLC0415 - logging is for those who ask

        trace()
    with error_lines(as_json=given["as_json"]), worded({**FLAGS, **_FLAGS}):
        _paint(prompt, given)


def _paint(words: tuple[str, ...], given: Mapping[str, Any]) -> None:
    """Ask, and keep what comes; nothing is asked for before there is a place to keep it."""
    from hfgen.cli.gallery import JsonPictures, PrintedPaths, opened  # noqa: PLC0415 - for pictures only
    from hfgen.cli.keeping import Keeper, folder_for  # noqa: PLC0415
    from hfgen.cli.preview import form_of  # noqa: PLC0415
    from hfgen.cli.waiting import waiting  # noqa: PLC0415

    if given["with_data"] and not given["as_json"]:
        raise UsageError("--data goes with --json")
    arguments = {name: given[name] for name in _ARGUMENTS} | options(given["pairs"])
    text = question(words)
    if not text:
        raise UsageError("there is no prompt", hint='Give one: hfgen image "a red fox in snow"')
    asking = Asking(given["model"], arguments)
    keeper = Keeper(folder_for(given["out"]), arguments, sidecar=not given["no_sidecar"])
    if given["as_json"]:
        gallery: Gallery = JsonPictures(keeper, with_data=given["with_data"])
    else:
        form = "none" if given["no_preview"] else given["preview"] or form_of(os.environ)
        gallery = PrintedPaths(keeper, waiting(arguments["n"], verbose=given["verbose"]), form)
    with gallery:
        asyncio.run(stoppable(_events(asking, text, given["proxy"], gallery)))
    if given["opens"]:
        opened(keeper, click.launch)


async def _events(asking: Asking, text: str, proxy: str | None, gallery: "Gallery") -> None:
    from hfgen import Session  # noqa: PLC0415 - brings the network along

    asking = await _somebody(asking)
    async with Session(proxy=proxy) as session, aclosing(asking.ask([], session, prompt=text, mode="image")) as events:
        async for event in events:
            await gallery.show(event)


async def _somebody(asking: Asking) -> Asking:
    """The same, with the default model where nobody else is named.

    Raises:
        ModelNotSupportedError: The local model was named.
        MissingAuth: There is neither a server nor a token.
    """
    from hfgen.hub.catalogue import DEFAULT_IMAGE_MODEL, LOCAL_NAMES  # noqa: PLC0415
    from hfgen.hub.client import find_token  # noqa: PLC0415 - brings the network along

    if asking.arguments["api_base"]:
        return asking
    if asking.model in LOCAL_NAMES:
        raise ModelNotSupportedError("the local model writes text: it makes no pictures", hint=_WAYS)
    if not (asking.arguments["api_key"] or await find_token()):
        raise MissingAuth(
            "pictures need a token or a server, and neither was found: no text-to-image model comes along with hfgen",
            hint=_WAYS,
            status=401,
        )
    return Asking(asking.model or DEFAULT_IMAGE_MODEL, asking.arguments)
