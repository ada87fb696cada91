"""How a batch stands, for whoever watches: a block that changes on a terminal, one line of JSON each 10 s elsewhere."""

import asyncio
import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

import click
import msgspec

from hfgen.batch.pacing.spending import Cost
from hfgen.batch.tally import Standing
from hfgen.cli.terminal import aside, draws, harmless, styled
from hfgen.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOVING: Final = 0.25  # seconds between two looks of a person
_LOGGED: Final = 10.0  # and between two lines of a log
_MINUTE: Final = 60
_HOUR: Final = 3600
_SMALL: Final = 10.0  # dollars below which their fractions matter


class Board(Protocol):
    """Where a batch is shown; a context, so that the terminal is left clean whatever happens."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    async def watch(self) -> None:
        """Show it again and again, until it is cancelled."""
        ...

    def say(self, sentence: str) -> None:
        """Say something beside it, once."""
        ...


def board_for(name: str, look: Callable[[], Standing], *, quiet: bool, as_json: bool) -> Board:
    """The form that suits stderr.

    Args:
        name: What is being written.
        look: How it stands now.
        quiet: Nothing is shown.
        as_json: Lines of JSON, on a terminal too.
    """
    if quiet:
        return Silence()
    return Block(name, look) if draws(sys.stderr) and not as_json else Lines(look)


class Silence:
    """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    async def watch(self) -> None:
        """Wait."""
        await asyncio.Event().wait()

    def say(self, sentence: str) -> None:
        """Say it: quiet is the progress, and not what nobody expects."""
        aside(sentence)


class Lines:
    """One line of JSON each 10 s, and one at the end."""

    def __init__(self, look: Callable[[], Standing]) -> None:
        self._look = look

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, UsageError):  # then nothing has begun
            self._say()

    async def watch(self) -> None:
        """Write a line, and wait."""
        while True:
            await asyncio.sleep(_LOGGED)
            self._say()

    def say(self, sentence: str) -> None:
        """Say it, as `{"notice": …}`."""
        click.echo(msgspec.json.encode({"notice": sentence}).decode(), err=True)

    def _say(self) -> None:
        click.echo(msgspec.json.encode(self._look()).decode(), err=True)


class Block:
    """Four lines that change in their place."""

    def __init__(self, name: str, look: Callable[[], Standing]) -> None:
        # Imported here: rich is slow to import, and for terminals only.
        from rich.console import Console  # noqa: PLC0415
        from rich.live import Live  # noqa: PLC0415

        self._name = name
        self._look = look
        self._live = Live(
            console=Console(stderr=True, no_color=not styled(sys.stderr)),
            auto_refresh=False,
            transient=True,  # the summary takes its place
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    async def watch(self) -> None:
        """Draw, and wait."""
        while True:
            self._live.update(self._drawn(self._look()), refresh=True)
            await asyncio.sleep(_MOVING)

    def say(self, sentence: str) -> None:
        """Say it above the block, where it stays."""
        from rich.text import Text  # noqa: PLC0415 - as above

        self._live.console.print(Text(harmless(sentence), style="dim"))

    def _drawn(self, standing: Standing) -> "RenderableType":
        from rich.console import Group  # noqa: PLC0415 - as above
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        head = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=standing.total, completed=_ended(standing), width=24, pulse=standing.total is None)
        head.add_row(Text(harmless(self._name), style="bold"), bar, Text(_how_far(standing)))
        return Group(head, *(Text(f"  {line}") for line in lines(standing)))


def lines(standing: Standing) -> list[str]:
    """The three lines below the bar."""
    counts = f"done {standing.done:,} · failed {standing.failed:,} · retried {standing.retried:,}"
    if standing.resumed:
        counts += f" · resumed {standing.resumed:,}"
    speed = f"{standing.rows_per_second:,.1f} rows/s · {standing.tokens_per_second:,.0f} tokens/s"
    return [
        counts,
        f"{speed} · {_at_once(standing)}",
        f"{dollars(standing.spent)} spent · {dollars(standing.projected)} in all · {_left(standing)}",
    ]


def summary(standing: Standing, place: str) -> str:
    """The last word: what became of the rows, how long it took, and what it cost."""
    copied = f", {standing.copied:,} of these copied from rows that ask the same" if standing.copied else ""
    before = f", {standing.finished_before:,} before" if standing.finished_before else ""
    failed = f", {standing.failed:,} failed" if standing.failed else ""
    tokens = standing.prompt_tokens + standing.completion_tokens
    rows = standing.done + standing.failed
    speed = f" ({rows / standing.seconds:,.1f} rows/s)" if standing.seconds and rows else ""
    return (
        f"{place}: {counted(standing.done)} answered{failed}{copied}{before}, in {duration(standing.seconds)}{speed}; "
        f"{tokens:,} tokens, {dollars(standing.spent)}"
    )


def counted(rows: int) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{rows:,} row" if rows == 1 else f"{rows:,} rows"


def dollars(cost: Cost | None) -> str:
    """`$0.0123`, or `$0.0100-0.0300` where the price is a range; `$?` where it is not known."""
    if cost is None:
        return "$?"
    digits = 4 if cost.high < _SMALL else 2
    low, high = f"{cost.low:,.{digits}f}", f"{cost.high:,.{digits}f}"
    return f"${high}" if low == high else f"${low}-{high}"


def duration(seconds: float) -> str:
    """`7 min 12 s`, of which the two largest units are told."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{seconds:.1f} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR:,} h {whole % _HOUR // _MINUTE} min"


def _ended(standing: Standing) -> int:
    return standing.finished_before + standing.done + standing.failed


def _at_once(standing: Standing) -> str:
    return f"{standing.under_way:,} of {standing.slots:,} at once" if standing.slots else "0 at once"


def _how_far(standing: Standing) -> str:
    ended = _ended(standing)
    if not standing.total:
        return f"{ended:,} rows"
    return f"{ended:,} of {standing.total:,} · {ended / standing.total:.0%}"


def _left(standing: Standing) -> str:
    return "time left ?" if standing.seconds_left is None else f"{duration(standing.seconds_left)} left"
