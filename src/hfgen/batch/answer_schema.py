"""A JSON schema that answers are checked against. The one module that imports jsonschema (extra `schema`)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from hfgen.errors import UsageError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_LONGEST_REASON: Final = 300
_MISSING: Final = "pip install 'hfgen[schema]'"


class AnswerSchema:
    """What the text of an answer has to be.

    Args:
        source: The schema; of draft 2020-12 where it names no other.

    Raises:
        UsageError: It is no schema, or jsonschema is not installed.
    """

    def __init__(self, source: Mapping[str, Any]) -> None:
        self.source: Final = dict(source)
        try:
            from jsonschema.exceptions import SchemaError  # noqa: PLC0415 - an extra
            from jsonschema.validators import Draft202012Validator, validator_for  # noqa: PLC0415
            from referencing import Registry  # noqa: PLC0415
        except ImportError as error:
            raise UsageError(f"checking answers needs one more package: {error}", hint=_MISSING) from error
        kind = validator_for(self.source, Draft202012Validator)
        try:
            kind.check_schema(self.source)
        except SchemaError as error:
            raise UsageError(f"schema: it is no JSON schema: {_short(error.message)}") from error
        self._validator = kind(self.source, registry=Registry[Any]())  # which fetches nothing from anywhere

    def __reduce__(self) -> tuple[type["AnswerSchema"], tuple[dict[str, Any]]]:
        """For the actors of a cluster: what checks is made anew there."""
        return AnswerSchema, (self.source,)

    @classmethod
    def of_file(cls, path: Path) -> "AnswerSchema":
        """The schema in a file; blocking.

        Raises:
            UsageError: It cannot be read, or is no schema.
        """
        try:
            source = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"schema: {path} cannot be read as JSON: {error}") from error
        if not isinstance(source, dict):
            raise UsageError(f"schema: {path} holds no JSON object")
        return cls(cast("dict[str, Any]", source))

    def mismatch(self, text: str) -> str:
        """Why a text does not fit, "" where it does."""
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return f"the answer is no JSON: {_short(str(error))}"
        return self._misfit(value)

    def _misfit(self, value: Any) -> str:
        from referencing.exceptions import Unresolvable  # noqa: PLC0415 - an extra

        try:
            found = min(self._validator.iter_errors(value), key=_depth, default=None)
        except RecursionError:
            return "the answer is nested too deeply to be checked"
        except Unresolvable as error:
            raise UsageError(f"schema: a reference leads nowhere: {_short(str(error))}") from error
        return "" if found is None else f"{found.json_path}: {_short(found.message)}"


def _short(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"


def _depth(found: "ValidationError") -> int:
    """The error nearest to the root says most."""
    return len(found.absolute_path)
