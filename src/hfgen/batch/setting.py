"""How the rows of a batch are asked: one value that can be written down, compared, and sent to other machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from hfgen.batch.policy import Policy
from hfgen.openai_api.bounds import Bounds

# Options that no answer depends on: secrets, who pays, how long is waited, what is done about failures.
_BESIDE: Final = frozenset(
    {
        "api_key",
        "proxy",
        "bill_to",
        "timeout",
        "connect_timeout",
        "first_token_timeout",
        "idle_timeout",
        "total_timeout",
        "retry",
        "heal",
        "isolate",
    }
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds for every row.

    Attributes:
        model: For rows that name none.
        options: Arguments of `create_async_generator`, for what a row leaves out; `api_base` and `api_key` too.
        policy: Which answers are taken.
        bounds: What a row may ask for.
        folder: Where pictures go as files; None puts their bytes into the line.
        longest: Seconds for a row from its first question on, over all repeats; None for no limit.
        run: The name of the job, by which a server may know a repeat from a new question; "" for none.
    """

    model: str = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    policy: Policy = field(default_factory=Policy)
    bounds: Bounds = field(default_factory=Bounds)
    folder: Path | None = None
    longest: float | None = None
    run: str = ""

    @property
    def bases(self) -> tuple[str, ...]:
        """The servers that are named, in their order."""
        bases: str | Sequence[str] | None = self.options.get("api_base")
        return (bases,) if isinstance(bases, str) else tuple(bases or ())

    def parameters(self) -> dict[str, Any]:
        """What the answers depend on, without any secret: another value of it is another job.

        Where a model is named, it may be asked at another address, or with more patience.
        """
        schema = self.policy.schema
        beside = _BESIDE | {"api_base"} if self.model else _BESIDE
        said = {
            "model": self.model,
            **{name: value for name, value in self.options.items() if name not in beside},
            "on_length": self.policy.on_length,
            "schema": None if schema is None else schema.source,
        }
        as_written: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(said))
        return as_written
