"""What an output was made of: `OUT.meta.json`, so that the same job goes on and another one does not mix into it.

It holds no secret: what is one, or has the form of one, is masked before anything is compared or written.
"""

import hashlib
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import msgspec

from hfgen.batch.journal.durable import beside, replace
from hfgen.errors import UsageError
from hfgen.redaction import redact, without_tokens
from hfgen.version import __version__

Parameter: TypeAlias = Any
"""A value of JSON; what it means is its owner's affair."""
Parameters: TypeAlias = Mapping[str, Parameter]

ENDING: Final = ".meta.json"

_SHOWN: Final = 100
"""Characters of a value in a message."""
_BLOCK: Final = 2**20
_SECRETS: Final = {"token", "hf_token", "password", "secret"}


class Source(msgspec.Struct, frozen=True):
    """Where rows came from.

    Attributes:
        name: The input as it was given.
        bytes: Its size, None where it cannot be read twice.
        sha256: Of all of it, "" where it cannot be read twice: then each row's digest alone tells what was edited.
        asked: How its rows become requests, such as the template; it counts as parameters of the job do.
    """

    name: str
    bytes: int | None = None
    sha256: str = ""
    asked: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])

    @classmethod
    def of_file(cls, path: Path) -> "Source":
        """A file, read as a whole but never held as a whole; a pipe is left for its one reader.

        Raises:
            UsageError: It cannot be read.
        """
        hashed = hashlib.sha256()
        try:
            if not (stat.S_ISREG(mode := path.stat().st_mode) or stat.S_ISDIR(mode)):
                return cls(str(path))
            with path.open("rb", buffering=0) as file:
                while block := file.read(_BLOCK):
                    hashed.update(block)
                return cls(str(path), file.tell(), hashed.hexdigest())
        except OSError as error:
            raise UsageError(f"the input {path} cannot be read: {error.strerror}") from error


class Earlier(msgspec.Struct, frozen=True):
    """Parameters that were in force before `--resume force` changed them: part of the output may be theirs."""

    run: str
    until: str
    version: str
    parameters: dict[str, Parameter]


class Meta(msgspec.Struct, frozen=True):
    """The sidecar's content.

    Attributes:
        run: A random name for the job, the same in each resumption, another one after forced changes and where rows
            that failed are asked again.
        version: Of hfgen, at the latest start.
        started: When the job began; UTC, ISO 8601.
        source: The input at the latest start.
        parameters: What the answers depend on, without secrets.
        parameters_sha256: Of `parameters` as JSON with sorted keys.
        earlier: What was in force before forced changes, oldest first.
    """

    run: str
    version: str
    started: str
    source: Source
    parameters: dict[str, Parameter]
    parameters_sha256: str
    earlier: tuple[Earlier, ...] = ()

    @classmethod
    def new(cls, run: str, source: Source, parameters: Parameters) -> "Meta":
        """The meta of a job that begins now."""
        plain = cast("dict[str, Parameter]", msgspec.json.decode(msgspec.json.encode(parameters)))  # a tuple is a list
        shown = {name: _masked(name, value) for name, value in plain.items()}
        canonical = msgspec.json.encode(shown, order="sorted")
        named = msgspec.structs.replace(source, name=without_tokens(source.name))
        return cls(run, __version__, _now(), named, shown, hashlib.sha256(canonical).hexdigest())

    def changes(self, other: "Meta") -> list[str]:
        """Which parameters differ from the other's, in words; one that is absent is as one that is null."""
        names = dict.fromkeys((*self.parameters, *other.parameters))
        pairs = ((name, self.parameters.get(name), other.parameters.get(name)) for name in names)
        return [f"{name} was {_words(old)} and is now {_words(new)}" for name, old, new in pairs if old != new]

    def followed_by(self, other: "Meta") -> "Meta":
        """The meta of this job when it goes on as `other` was asked to."""
        if not self.changes(other):
            return msgspec.structs.replace(other, run=self.run, started=self.started, earlier=self.earlier)
        past = Earlier(self.run, other.started, self.version, self.parameters)
        return msgspec.structs.replace(other, started=self.started, earlier=(*self.earlier, past))


def read(out: Path) -> Meta | None:
    """The sidecar of an output; None where there is none.

    Raises:
        ValueError: It is damaged.
        OSError: It cannot be read.
    """
    try:
        data = beside(out, ENDING).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(data, type=Meta)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error


def write(out: Path, meta: Meta) -> None:
    """Put the sidecar beside an output, in one step and for good.

    Raises:
        OSError: As the system says.
    """
    replace(beside(out, ENDING), msgspec.json.format(msgspec.json.encode(meta), indent=2) + b"\n")


def _masked(name: str, value: Parameter) -> Parameter:
    match value:
        case str() if _announces(name):
            return value and "[redacted]"
        case str():
            return without_tokens(value)
        case list():
            return [_masked(name, item) for item in cast("Sequence[Parameter]", value)]
        case dict():
            return {key: _masked(key, item) for key, item in cast("dict[str, Parameter]", value).items()}
        case _:
            return value


def _announces(name: str) -> bool:
    """Whether what goes by this name is a secret, whatever it looks like, as with `api_key`."""
    if name.lower() in _SECRETS:
        return True
    spoken = f"{name}: something"
    return redact(spoken) != spoken


def _words(value: Parameter) -> str:
    if value is None:
        return "not set"
    text = msgspec.json.encode(value, order="sorted").decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
