"""`hfgen batch INPUT --out OUTPUT`: every row answered once."""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec.structs import replace

from hfgen.cli.batch_input import reading, reads_input
from hfgen.cli.options import options
from hfgen.cli.running import stoppable
from hfgen.cli.terminal import aside
from hfgen.cli.wording import FLAGS, worded
from hfgen.errors import HfgenError, UsageError

if TYPE_CHECKING:
    from hfgen.batch.journal.sidecar import Source
    from hfgen.batch.rows.input import Reading
    from hfgen.batch.tally import Tally
    from hfgen.cli.batch_board import Board

_FAILED: Final = 3
# By flag, in the words of the library.
_ARGUMENTS: Final = (
    "model", "api_base", "api_key", "max_tokens", "temperature", "seed", "on_length", "tries", "row_timeout",
    "deadline", "max_cost", "max_errors", "rpm", "tpm", "retry_failed", "dedup", "proxy", "model_file",
)  # fmt: skip
_OF_BATCHES: Final = {
    name: f"--{name.replace('_', '-')}"
    for name in ("on_length", "row_timeout", "deadline", "max_cost", "max_errors", "rpm", "tpm", "dedup")
}
_FLAGS: Final[Mapping[str, str]] = {
    **FLAGS,
    **_OF_BATCHES,
    "most": "--concurrency",
    "retry_failed": "--retry-failed",
    "tries": "--tries",
}
# \b is click's mark, the character itself: the paragraph after it keeps its lines.
_HELP: Final = """\
Answer every row of INPUT, a file or - for standard input, and write each answer to --out as it comes.

\b
INPUT    JSONL in the form of the OpenAI Batch API, as it is; CSV, TSV, JSONL or Parquet rows with a
         column prompt, messages or text (or --column, or --template over columns); lines of text
OUTPUT   JSONL in the form of the OpenAI Batch API, one line a row, failed ones too

Stop it, kill it, pull the plug: the same command goes on. No row that has ended is asked again; of those under
way a call may be paid twice. Edited rows alone are asked anew. Other parameters need --resume force.

Exit codes: 0 every row answered, 3 some failed or a limit of the job stopped it, 130 interrupted.
"""


@click.command("run", help=_HELP)
@click.argument("place", metavar="INPUT")
@click.option("--out", metavar="OUTPUT", type=click.Path(dir_okay=False), help="The answers, and the journal.")
@click.option("-m", "--model", envvar="HFGEN_MODEL", help="For rows that name none: owner/name[:provider], or local.")
@reads_input
@click.option("--image-urls", is_flag=True, help="Rows may name pictures by address; the server opens it.")
@click.option("--dedup", is_flag=True, help="Ask rows that are the same only once.")
@click.option("--max-tokens", type=click.IntRange(1), help="The longest answer, for rows that do not say.")
@click.option("--temperature", type=float, help="0 for the likeliest words.")
@click.option("--seed", type=int, help="The same seed, the same answer, where the server can.")
@click.option("-o", "--option", "pairs", nargs=2, multiple=True, metavar="KEY VALUE", help="Any option of the library.")
@click.option("--on-length", type=click.Choice(("keep", "retry", "error")), default="keep", show_default=True,
              help="What becomes of an answer that --max-tokens cut.")  # fmt: skip
@click.option("--schema", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
              help="A JSON schema that answers have to fit.")  # fmt: skip
@click.option("--tries", type=click.IntRange(0), default=2, show_default=True, help="Times to ask again for its sake.")
@click.option("--concurrency", type=click.IntRange(1), default=256, show_default=True,
              help="Rows at once, at most; it begins with 8 and grows while the answers stay quick.")  # fmt: skip
@click.option("--rpm", type=click.FloatRange(0, min_open=True), help="Requests a minute, at most.")
@click.option("--tpm", type=click.FloatRange(0, min_open=True), help="Tokens a minute, prompts and answers, at most.")
@click.option("--row-timeout", type=click.FloatRange(0, min_open=True), help="Seconds for a row, repeats included.")
@click.option("--deadline", type=click.FloatRange(0, min_open=True), help="Seconds for the job.")
@click.option("--max-cost", type=click.FloatRange(0, min_open=True), help="US dollars for the job.")
@click.option("--max-errors", metavar="N|P%", help="Rows that may fail before the job stops.")
@click.option("--retry-failed", is_flag=True, help="Ask the rows again that have failed before.")
@click.option("--resume", type=click.Choice(("same", "force")), default="same", show_default=True,
              help="force goes on with other parameters than before.")  # fmt: skip
@click.option("--engine", type=click.Choice(("here", "ray")), default="here", show_default=True,
              help="ray: on the actors of a cluster (extra `ray`).")  # fmt: skip
@click.option("--ray-address", metavar="ADDRESS", help="Of the cluster; else RAY_ADDRESS, else one is begun here.")
@click.option("--actors", type=click.IntRange(1), help="With ray: how many; one for each machine if not given.")
@click.option("--api-base", multiple=True, envvar="HFGEN_API_BASE", help="A server: its root, its /v1, or a full path.")
@click.option("--api-key", envvar="HFGEN_API_KEY", help="Its key; better in HFGEN_API_KEY than here.")
@click.option("--model-file", type=click.Path(exists=True, dir_okay=False), help="A GGUF file for the local engine.")
@click.option("--proxy", help="http://… or socks5://…")
@click.option("--dry-run", is_flag=True, help="Show three prompts and an estimate, and ask nothing.")
@click.option("--json", "as_json", is_flag=True, help="Progress as lines of JSON, on a terminal too.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary.")
@click.option("-v", "--verbose", is_flag=True, help="Say which server was found and how it is asked.")
def command(place: str, **given: Any) -> None:
    """Answer the rows; `_HELP` is what a person reads."""
    if given["verbose"]:
        from hfgen.cli.tracing import trace  # noqa: PLC0415 - logging is for those who ask

        trace()
    with worded(_FLAGS):
        _run(place, given)


def _run(place: str, given: Mapping[str, Any]) -> None:
    from hfgen.batch.journal import status  # noqa: PLC0415 - for this command only
    from hfgen.batch.tally import Tally  # noqa: PLC0415
    from hfgen.cli.batch_board import board_for, counted  # noqa: PLC0415

    read = reading(given)
    if given["dry_run"]:
        from hfgen.cli.batch_sample import show_sample  # noqa: PLC0415 - as above

        asyncio.run(stoppable(show_sample(place, read, _asked(given))))
        return
    out = given["out"]
    if not out:
        raise UsageError("there is no place for the answers", hint="Give one: --out answers.jsonl")
    tally = Tally()
    board = board_for(Path(out).name, tally.standing, quiet=given["quiet"], as_json=given["as_json"])
    try:
        with board:
            asyncio.run(stoppable(_watched(place, read, given, tally, board)))
    except UsageError:  # nothing has begun
        raise
    except BaseException as error:
        _sum_up(out, tally, quiet=given["quiet"])
        if not isinstance(error, HfgenError) and not given["quiet"]:  # whose hint says it
            aside("stopped; the same command goes on from there")
        raise
    _sum_up(out, tally, quiet=given["quiet"])
    latest = status.read(out)
    if latest is not None and latest.failed:
        if not given["quiet"]:
            aside(f"{counted(latest.failed)} failed, each of which says why; --retry-failed asks again")
        sys.exit(_FAILED)


def _sum_up(out: str, tally: "Tally", *, quiet: bool) -> None:
    from hfgen.cli.batch_board import summary  # noqa: PLC0415 - for this command only

    if not quiet:
        aside(summary(tally.standing(), out))


async def _watched(place: str, read: "Reading", given: Mapping[str, Any], tally: "Tally", board: "Board") -> None:
    """Answer all rows, while somebody watches."""
    from hfgen.batch.rows.input import Rows  # noqa: PLC0415 - for this command only
    from hfgen.batch.running import run  # noqa: PLC0415 - brings the network along

    source = replace(await asyncio.to_thread(_source, place), asked=_reads(given))
    jobs = await asyncio.to_thread(Rows.of, place, read)
    watching = asyncio.create_task(board.watch())
    results = run(
        jobs,
        out=given["out"],
        source=source,
        force=given["resume"] == "force",
        tally=tally,
        notice=board.say,
        engine=_engine(given),
        **_asked(given),
    )
    try:
        async with aclosing(results):
            async for _ in results:
                pass
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        jobs.close()


def _source(place: str) -> "Source":
    """What the input is, for the sidecar; one that can be read only once has no hash."""
    from hfgen.batch.journal.sidecar import Source  # noqa: PLC0415 - as above

    file = Path(place).expanduser()
    return Source.of_file(file) if place != "-" and file.is_file() else Source("stdin" if place == "-" else place)


def _reads(given: Mapping[str, Any]) -> dict[str, str]:
    """How rows become requests: with another template they are other requests, and not edited rows."""
    names = ("column", "template", "system", "kind")
    return {name: given[name] for name in names if given[name]}


def _asked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `hfgen.batch.run`, for every row alike."""
    asked = {name: given[name] for name in _ARGUMENTS}
    asked["most"] = given["concurrency"]
    asked["api_base"] = list(given["api_base"]) or None
    if given["schema"]:
        asked["schema"] = _schema(Path(given["schema"]))
    if given["image_urls"]:
        from hfgen.openai_api.bounds import Bounds  # noqa: PLC0415 - for those who ask

        asked["bounds"] = Bounds(image_urls=True)
    return asked | options(given["pairs"])


def _engine(given: Mapping[str, Any]) -> Any:
    if given["engine"] == "here":
        if given["ray_address"] or given["actors"]:
            raise UsageError("--ray-address and --actors go with --engine ray")
        return None
    from hfgen.batch.ray_runner import ray_engine  # noqa: PLC0415 - an optional, heavy part

    return ray_engine(given["ray_address"], actors=given["actors"])


def _schema(file: Path) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415 - for those who ask

    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--schema {file}: it is no JSON object: {error}") from None
