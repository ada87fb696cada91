"""`hfgen batch status OUTPUT`: how a batch stands, from any terminal."""

import time
from typing import TYPE_CHECKING, Final

import click
import msgspec

from hfgen.cli.terminal import harmless
from hfgen.errors import UsageError

if TYPE_CHECKING:
    from hfgen.batch.journal.lock import Holder
    from hfgen.batch.journal.status import Status

_RUNNING: Final = "running"


@click.command("status")
@click.argument("output", type=click.Path(dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="As one line of JSON.")
def command(output: str, *, as_json: bool) -> None:
    """Say how the batch that writes OUTPUT stands: how many rows, how fast, at what cost, whether it still runs."""
    from hfgen.batch.journal.lock import Lock  # noqa: PLC0415 - for this command only
    from hfgen.batch.journal.status import read  # noqa: PLC0415

    status = read(output)
    if status is None:
        raise UsageError(f"{output}: no batch has written there", hint="Name the --out of a batch.")
    if as_json:
        click.echo(msgspec.json.encode(status).decode())
        return
    click.echo(harmless("\n".join(_lines(output, status, Lock.holder(output)))))


def _lines(output: str, status: "Status", holder: "Holder | None") -> list[str]:
    from hfgen.cli.batch_board import dollars, duration  # noqa: PLC0415 - as above

    ended = status.done + status.failed
    of = "" if not status.total else f" of {status.total:,} ({ended / status.total:.0%})"
    lines = [
        f"{output}: {_state(status, holder)}",
        f"rows      {ended:,}{of}: {status.done:,} answered, {status.failed:,} failed; {status.retried:,} repeats",
        f"cost      {dollars(status.cost)} in this run, {dollars(status.projected)} in all",
    ]
    if status.state == _RUNNING and holder:
        left = "?" if status.seconds_left is None else duration(status.seconds_left)
        speed = f"{status.rows_per_second:,.1f} rows/s, {status.tokens_per_second:,.0f} tokens/s"
        lines.insert(2, f"speed     {speed}, {status.in_flight:,} of {status.concurrency:,} at once; {left} left")
    return lines


def _state(status: "Status", holder: "Holder | None") -> str:
    from hfgen.cli.batch_board import duration  # noqa: PLC0415 - as above

    if status.state != _RUNNING:
        why = f": {status.message}" if status.message else ""
        return f"{status.state}{why}, after {duration(status.updated - status.started)}"
    if holder is None:
        return "it was killed; the same command goes on from there"
    return f"running for {duration(time.time() - status.started)}, {holder}"
