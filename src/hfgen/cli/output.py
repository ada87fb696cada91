"""Where the events of an answer go: the answer on stdout, all else on stderr."""

import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import aclosing, contextmanager
from types import TracebackType
from typing import Any, Protocol, Self

import click
import msgspec

from hfgen.cli.signals import ENDING
from hfgen.cli.terminal import draws
from hfgen.cli.wording import reworded
from hfgen.errors import HfgenError
from hfgen.events import Event


class Output(Protocol):
    """Where events go; a context, so that the terminal is left clean whatever happens."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, event: Event) -> None:
        """Show one event."""
        ...


def output_for(*, as_json: bool, markdown: bool, verbose: bool) -> Output:
    """The form that suits stdout: JSON lines if asked, Markdown on a terminal that can, plain text else."""
    if as_json:
        return JsonLines()
    if markdown and draws(sys.stdout):
        from hfgen.cli.markdown import MarkdownText  # noqa: PLC0415 - rich is slow to import, and for terminals only

        return MarkdownText(verbose=verbose)
    from hfgen.cli.plain import PlainText  # noqa: PLC0415 - `markdown` builds on it, too

    return PlainText(verbose=verbose)


def form_of(given: Mapping[str, Any]) -> Output:
    """The form of the answer that was asked for."""
    return output_for(as_json=given["as_json"], markdown=not given["no_markdown"], verbose=given["verbose"])


async def shown(events: AsyncGenerator[Event, None], show: Callable[[Event], None]) -> None:
    """Show every event as it comes; leaving early closes the connection, so that the server stops."""
    async with aclosing(events):
        async for event in events:
            show(event)


class ErrorLine(msgspec.Struct, tag="error", tag_field="type"):
    """The last line in place of a `finish`; what is said on stderr, for programs."""

    error: str
    message: str
    exit_code: int
    hint: str = ""
    server: str = ""
    model: str = ""
    request_id: str = ""
    attempts: int = 0


class JsonLines:
    """One event a line, as JSON."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: Event) -> None:
        """Write one line."""
        json_line({"type": "text", "text": event} if isinstance(event, str) else event)


@contextmanager
def error_lines(*, as_json: bool) -> Generator[None]:
    """Where JSON was asked for, the last line is a `finish` or, whatever goes wrong, an `error`."""
    try:
        yield
    except HfgenError as error:
        if as_json:
            json_line(_error_line(reworded(error)))
        raise
    except click.UsageError as error:
        if as_json:
            json_line(ErrorLine("UsageError", error.format_message(), error.exit_code))
        raise
    except KeyboardInterrupt:
        if as_json:
            json_line(ErrorLine("Interrupted", "interrupted", ENDING.exit_code))
        raise


def _error_line(error: HfgenError) -> ErrorLine:
    return ErrorLine(
        error=type(error).__name__,
        message=error.message,
        exit_code=error.exit_code,
        hint=error.hint,
        server=error.server,
        model=error.model,
        request_id=error.request_id,
        attempts=error.attempts,
    )


def json_line(value: object) -> None:
    """Write a value as one line of JSON."""
    click.echo(msgspec.json.encode(value).decode())
