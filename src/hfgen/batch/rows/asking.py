"""How a row of a table becomes a request: which columns, in what words, of which kind."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, cast

import msgspec

from hfgen.batch.bad_row import RowFault
from hfgen.batch.job import Url
from hfgen.batch.rows.template import Template, check_column, columns_named
from hfgen.errors import UsageError
from hfgen.messages import check_messages
from hfgen.wire_json import MALFORMED

Kind: TypeAlias = Literal["chat", "raw", "image"]

MESSAGES: Final = "messages"  # the column of this name holds conversations, in CSV as JSON
USUAL: Final = ("prompt", MESSAGES, "text")
_URLS: Final[dict[Kind, Url]] = {
    "chat": "/v1/chat/completions",
    "raw": "/v1/completions",
    "image": "/v1/images/generations",
}


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked with a row.

    Attributes:
        column: The column of the prompt or of the conversation; None for the first of `prompt`, `messages`, `text`.
        template: A text over columns, instead of a column.
        system: The first message of each conversation that has no system message of its own, or "".
        kind: A conversation, a raw prompt that the model completes, or a picture.
    """

    column: str | None = None
    template: Template | None = None
    system: str = ""
    kind: Kind = "chat"

    def __post_init__(self) -> None:
        if self.column and self.template:
            raise UsageError("--column and --template both say what is asked; give one of them")
        if self.system and self.kind != "chat":
            raise UsageError(f"--system is for conversations; leave it out with --{self.kind}")

    @property
    def url(self) -> Url:
        """What is asked for."""
        return _URLS[self.kind]

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns that it may read."""
        if self.template:
            return self.template.columns
        return (self.column,) if self.column else USUAL

    def over(self, columns: Collection[str]) -> "Asking":
        """The same with its column chosen among those that are there.

        Raises:
            UsageError: One that it needs is not there.
        """
        if self.template:
            for name in self.template.columns:
                check_column(name, columns, "--template")
            return self
        if self.column:
            check_column(self.column, columns, "--column")
            return self
        found = next((name for name in USUAL if name in columns), None)
        if found is None:
            raise UsageError(
                f"the input has no column {', '.join(USUAL[:-1])} or {USUAL[-1]} {columns_named(columns)}; "
                "say which with --column, or write --template '… {column} …'"
            )
        return replace(self, column=found)

    def body(self, values: dict[str, Any]) -> bytes:
        """The request's body for a row, of which only what is asked stands in it.

        Raises:
            RowFault: The row has nothing to ask, or not in a form that can be asked.
        """
        if self.template:
            return self._prompted(self.template.filled(values), "the template's text")
        column = cast("str", self.column)
        asked = values.get(column)
        if isinstance(asked, str) and column != MESSAGES:
            return self._prompted(asked, column)
        if asked is None:
            raise RowFault(f"{column}: it is {'null' if column in values else 'missing'}; every row needs it")
        return self._conversation(column, _decoded(column, asked) if isinstance(asked, str) else asked)

    def _prompted(self, prompt: str, where: str) -> bytes:
        if not prompt.strip():
            raise RowFault(f"{where}: it is empty, so there is nothing to ask")
        if self.kind != "chat":
            return msgspec.json.encode({"prompt": prompt})
        return self._messages([{"role": "user", "content": prompt}])

    def _conversation(self, column: str, asked: object) -> bytes:
        if not isinstance(asked, list):
            kind = type(asked).__name__
            raise RowFault(f"{column}: it is of type {kind}; it has to be a text, or a list of messages")
        if self.kind != "chat":
            raise RowFault(f"{column}: it is a conversation; --{self.kind} takes a text")
        messages = [_without_nulls(message) for message in cast("list[object]", asked)]
        try:
            check_messages(cast("Any", messages))
        except UsageError as error:
            raise RowFault(f"{column}: {error.message}") from None
        return self._messages(messages)

    def _messages(self, messages: list[Any]) -> bytes:
        if self.system and messages[0]["role"] not in {"system", "developer"}:
            messages = [{"role": "system", "content": self.system}, *messages]
        try:
            return msgspec.json.encode({"messages": messages}, enc_hook=str)
        except RecursionError as error:
            raise RowFault(f"the messages cannot be sent as JSON: {error}") from None


def _decoded(column: str, written: str) -> object:
    try:
        return cast("object", msgspec.json.decode(written))
    except MALFORMED as error:
        raise RowFault(f"{column}: it is no JSON list of messages: {error}") from None


def _without_nulls(message: object) -> object:
    """A message without its empty fields: Parquet has every field in each of them, null where there is nothing."""
    if not isinstance(message, dict):
        return message
    return {name: value for name, value in cast("dict[str, object]", message).items() if value is not None}
