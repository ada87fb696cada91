"""The input of a batch once more, for the columns that go beside the answers."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, Self, cast

import msgspec

from hfgen.batch.bad_row import BadRow
from hfgen.batch.job import Job
from hfgen.batch.rows.columns import Kind, kinds_of, written
from hfgen.batch.rows.input import Jobs, Reading
from hfgen.batch.rows.shard import Shard
from hfgen.batch.rows.source import STDIN, Source, open_source
from hfgen.batch.rows.tables import read_table
from hfgen.errors import UsageError
from hfgen.messages import Messages, check_messages, last_user_text

_OF_OPENAI: Final[dict[str, Kind]] = {"custom_id": "text", "prompt": "text"}


class Original:
    """An input that was answered.

    Lines in OpenAI's form have two columns: `custom_id`, and as `prompt` what the user said last, or what was to be
    completed or painted.

    Args:
        place: The path of the file.
        reading: How it was read; all its shares are read here, and all its rows.

    Attributes:
        columns: Its columns, and what they hold.
        like: The schema of a Parquet file, None of others.
        named: Whether one of the columns holds the rows' names.

    Raises:
        UsageError: It cannot be read twice, or not as it was read.
    """

    def __init__(self, place: str, reading: Reading) -> None:
        if place == STDIN:
            raise UsageError("what came from stdin cannot be read again: put it into a file, and name that")
        self.jobs = Jobs(place, replace(reading, shard=Shard(), limit=None))
        try:
            self.columns, self.like = _columns(place, self.jobs.source)
        except BaseException:
            self.jobs.close()
            raise
        self.named = self.jobs.names.column is not None

    def rows(self) -> Iterator[tuple[Job | BadRow, dict[str, Any]]]:
        """Every row as it was asked, with the cells it has in its columns."""
        openai = self.jobs.source.form == "openai"
        return ((made, _cells(made) if openai else record.values) for record, made in self.jobs.pairs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.jobs.close()


def _columns(place: str, source: Source) -> tuple[dict[str, Kind], object]:
    """The columns and their schema; what has no header is read through for them."""
    if source.form == "openai":
        return _OF_OPENAI, None
    again = open_source(place, source.form)
    with again.file:
        table = read_table(again)
        if source.form == "parquet":
            from hfgen.batch.rows.arrow import schema_of  # noqa: PLC0415 - pyarrow is heavy, and an extra

            schema = schema_of(again)
            return dict.fromkeys(table.columns or (), "json"), schema
        if table.columns is None:
            return kinds_of(table.records), None
        return dict.fromkeys(table.columns, "text"), None


class _Asked(msgspec.Struct):
    """What is read of a body."""

    messages: list[dict[str, Any]] = []
    prompt: str | list[str] | None = None


def _cells(made: Job | BadRow) -> dict[str, Any]:
    asked = msgspec.json.decode(made.body, type=_Asked) if isinstance(made, Job) else _Asked()
    prompt = written(asked.prompt) if asked.prompt else _last_text(cast("Messages", asked.messages))
    return {"custom_id": made.custom_id, "prompt": prompt}


def _last_text(messages: Messages) -> str | None:
    """None of what is no conversation, which no server will have answered."""
    with suppress(UsageError):
        check_messages(messages)
        return last_user_text(messages)
    return None
