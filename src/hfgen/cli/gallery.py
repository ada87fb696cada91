"""Where pictures go: into files, their paths on stdout, all else on stderr."""

import asyncio
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

import click

from hfgen.cli.keeping import Keeper, Kept, Made
from hfgen.cli.output import json_line
from hfgen.cli.pictures import described
from hfgen.cli.preview import Form, show
from hfgen.cli.terminal import aside, harmless, is_terminal
from hfgen.cli.waiting import Bar, Lines
from hfgen.errors import ServerError
from hfgen.events import Event, FinishReason, ImageResponse, Progress


class Gallery(Protocol):
    """Takes the events of a call; a context, so that the terminal is left clean whatever happens."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def show(self, event: Event) -> None:
        """Show one event; a picture is kept first."""
        ...


class PrintedPaths:
    """For people and shells: one path a line."""

    def __init__(self, keeper: Keeper, waiting: Bar | Lines, preview: Form) -> None:
        self._keeper = keeper
        self._waiting = waiting
        self._preview: Form = preview
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._waiting.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.__exit__(kind, error, trace)
        if error is not None and self._keeper.kept:
            kept = len(self._keeper.kept)
            aside(f"{_counted(kept)} came before that and {'is' if kept == 1 else 'are'} kept")

    async def show(self, event: Event) -> None:
        """Keep a picture and print its path; say what takes its time, and how it ended."""
        match event:
            case ImageResponse():
                await asyncio.to_thread(self._picture, event)
            case Progress():
                self._waiting.show(event)
            case FinishReason():
                await asyncio.to_thread(_finished, self._keeper, event)
                with self._waiting.paused():
                    aside(self._summary(event))
            case str():
                if event.strip():
                    with self._waiting.paused():
                        aside(f"the model says: {event}")
            case _:
                pass

    def _picture(self, image: ImageResponse) -> None:
        """In a thread, and in one go: a Ctrl-C cannot come between a file and its name."""
        kept = self._keeper.keep(image)
        self._waiting.came(len(self._keeper.kept))
        with self._waiting.paused():
            show(kept.media, self._preview)
            path = str(kept.file)
            click.echo(harmless(path) if is_terminal(sys.stdout) else path)
            seed = "" if kept.record.seed is None else f", seed {kept.record.seed}"
            aside(f"{described(kept.media)}{seed}")
            if kept.record.revised_prompt:
                aside(f"the provider painted: {kept.record.revised_prompt}")

    def _summary(self, end: FinishReason) -> str:
        parts = [
            end.model or "a model that gives no name",
            f"at {end.server}",
            _counted(len(self._keeper.kept)),
            f"{time.monotonic() - self._began:.1f} s",
        ]
        if end.reason == "content_filter":
            parts.append("the content filter withheld some")
        if end.attempts > 1:
            parts.append(f"{end.attempts} requests")
        return " · ".join(parts)


class ImageLine(Made, frozen=True, tag="image", tag_field="type"):
    """A picture for a program: where it is, and all that made it; its bytes only where they were asked for.

    `bytes` and `sha256` are of the file, which in a PNG holds what made it, too.
    """

    path: str
    sidecar: str | None
    bytes: int
    sha256: str
    data_url: str | None


class JsonPictures:
    """For programs: one event a line."""

    def __init__(self, keeper: Keeper, *, with_data: bool) -> None:
        self._keeper = keeper
        self._with_data = with_data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def show(self, event: Event) -> None:
        """Write one line."""
        match event:
            case ImageResponse():
                await asyncio.to_thread(self._picture, event)
            case FinishReason():
                await asyncio.to_thread(_finished, self._keeper, event)
                json_line(event)
            case str():
                json_line({"type": "text", "text": event})
            case _:
                json_line(event)

    def _picture(self, image: ImageResponse) -> None:
        kept = self._keeper.keep(image)
        json_line(self._line(kept))

    def _line(self, kept: Kept) -> ImageLine:
        return ImageLine(
            **{name: getattr(kept.record, name) for name in Made.__struct_fields__},
            path=str(kept.file),
            sidecar=str(kept.sidecar) if kept.sidecar else None,
            bytes=len(kept.media.data),
            sha256=kept.record.sha256,
            data_url=kept.media.data_url() if self._with_data else None,
        )


def opened(keeper: Keeper, launch: Callable[[str], int]) -> None:
    """Show each picture with the system's own viewer; where there is none, say so once."""
    for kept in keeper.kept:
        if launch(str(kept.file)) != 0:
            aside("no viewer could be started; the pictures are where the lines above say")
            return


def _finished(keeper: Keeper, end: FinishReason) -> None:
    if not keeper.kept:
        raise ServerError("the server ended without a picture", hint="Try again, or ask another server.").at(
            server=end.server, model=end.model, attempts=end.attempts
        )
    keeper.finish(end)


def _counted(pictures: int) -> str:
    return "1 picture" if pictures == 1 else f"{pictures} pictures"
