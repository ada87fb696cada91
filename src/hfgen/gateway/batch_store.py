"""The batches of a gateway, each a folder `batches/<id>`: what it is in `batch.json`, its journal in `output.jsonl`."""

import re
import secrets
import shutil
import time
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from hfgen.batch.job import Url
from hfgen.batch.journal.durable import replace
from hfgen.openai_api.refusal import Refusal

State: TypeAlias = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]

WINDOW: Final = 24 * 3600
"""Seconds in which a batch is to end: OpenAI's only `completion_window`, 24h."""
_ID: Final = re.compile(r"batch_[0-9a-f]{24}")
_OVER: Final[frozenset[State]] = frozenset({"failed", "completed", "expired", "cancelled"})
_STATES_WITH_TIMES: Final = frozenset(State.__args__) - {"validating"}  # type: ignore[attr-defined] # of the alias


class LineFault(msgspec.Struct, frozen=True):
    """What is wrong with a line of the input (openai-python types/batch_error.py)."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class Counts(msgspec.Struct, frozen=True):
    """Rows: of the input, answered, failed."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class Cached(msgspec.Struct, frozen=True):
    """Of the tokens that went in."""

    cached_tokens: int = 0


class Thought(msgspec.Struct, frozen=True):
    """Of the tokens that came out."""

    reasoning_tokens: int = 0


class Tokens(msgspec.Struct, frozen=True):
    """What all answers took (openai-python types/batch_usage.py)."""

    input_tokens: int = 0
    input_tokens_details: Cached = Cached()
    output_tokens: int = 0
    output_tokens_details: Thought = Thought()
    total_tokens: int = 0


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as OpenAI's server describes it (openai-python types/batch.py), and whose it is."""

    id: str
    endpoint: Url
    input_file_id: str
    created_at: int
    expires_at: int
    status: State = "validating"
    completion_window: str = "24h"
    output_file_id: str | None = None
    error_file_id: str | None = None
    faults: tuple[LineFault, ...] = ()
    request_counts: Counts = Counts()
    model: str | None = None
    """That all answers are of, where they are of one."""
    usage: Tokens | None = None
    metadata: dict[str, str] | None = None
    times: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    owner: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _OVER

    def now(self, status: State, **more: Any) -> "Batch":
        """The same, from now on in another state."""
        times = {**self.times, status: int(time.time())}
        return msgspec.structs.replace(self, status=status, times=times, **more)

    def said(self) -> dict[str, object]:
        """What its caller is told."""
        told: dict[str, object] = {"object": "batch", **msgspec.to_builtins(self)}
        for name in ("faults", "times", "owner"):
            del told[name]
        told["errors"] = {"object": "list", "data": msgspec.to_builtins(self.faults)} if self.faults else None
        return told | {f"{state}_at": self.times.get(state) for state in sorted(_STATES_WITH_TIMES)}


class BatchStore:
    """Where they are; its methods block for moments.

    Args:
        folder: Of the gateway's batches; made where there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "batches"

    def new(self, endpoint: Url, input_file_id: str, metadata: dict[str, str] | None, owner: str) -> Batch:
        """A batch that is to be begun."""
        batch_id, created = f"batch_{secrets.token_hex(12)}", int(time.time())
        (self._folder / batch_id).mkdir(parents=True, mode=0o700)
        batch = Batch(
            id=batch_id,
            endpoint=endpoint,
            input_file_id=input_file_id,
            created_at=created,
            expires_at=created + WINDOW,
            metadata=metadata,
            owner=owner,
        )
        self.put(batch)
        return batch

    def put(self, batch: Batch) -> None:
        """Write down how it stands."""
        replace(self._folder / batch.id / "batch.json", msgspec.json.encode(batch))

    def get(self, batch_id: str, owner: str) -> Batch:
        """The batch of this name.

        Raises:
            Refusal: There is none, or it is another caller's.
        """
        found = self.read(batch_id) if _ID.fullmatch(batch_id) else None
        if found is None or found.owner != owner:
            raise Refusal(404, f"no such batch: {batch_id[:100]}", param="batch_id", code="no_such_batch")
        return found

    def read(self, batch_id: str) -> Batch | None:
        """The batch of this name, whosoever it is."""
        try:
            return msgspec.json.decode((self._folder / batch_id / "batch.json").read_bytes(), type=Batch)
        except (OSError, msgspec.DecodeError):
            return None

    def all(self) -> list[Batch]:
        """All of them, the latest first."""
        folders = self._folder.iterdir() if self._folder.is_dir() else ()
        found = [batch for folder in folders if (batch := self.read(folder.name))]
        return sorted(found, key=lambda batch: (batch.created_at, batch.id), reverse=True)

    def drop(self, batch: Batch) -> None:
        """Forget it."""
        shutil.rmtree(self._folder / batch.id, ignore_errors=True)

    def output(self, batch: Batch) -> Path:
        """The journal of its rows."""
        return self._folder / batch.id / "output.jsonl"

    def ask_to_cancel(self, batch: Batch) -> None:
        """Let the process that works on it know, whichever it is."""
        (self._folder / batch.id / "cancel").touch(mode=0o600)

    def is_to_be_cancelled(self, batch: Batch) -> bool:
        """Whether somebody has asked for that."""
        return (self._folder / batch.id / "cancel").exists()
