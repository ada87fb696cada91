"""One call through the public API against one fault."""

import asyncio
import itertools
import re
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from faults.catalogue import PATHS, Demand, Entry, demand
from faults.outcome import Ear, Outcome, Verdict, judge, leak
from faults.upstream import Upstream
from hfgen import FinishReason, HuggingFaceInference, Session
from hfgen.messages import Message

PATIENCE: Final = 90.0  # seconds until a call counts as hung
LIMITS: Final[Mapping[str, float]] = {
    "connect_timeout": 1.0,
    "first_token_timeout": 2.0,
    "idle_timeout": 1.5,
    "total_timeout": 60.0,
}
KEY: Final = re.compile(r"Zq7key\d{6}qZvisible")
_numbers: Final = itertools.count()


@dataclass(frozen=True, slots=True)
class Case:
    """One run of one fault: fresh state on the server, a key that would be known anywhere."""

    fault: str
    dialect: str
    number: int = field(default_factory=lambda: next(_numbers))

    @property
    def name(self) -> str:
        return f"{self.fault}-{self.dialect}-{self.number}"

    @property
    def key(self) -> str:
        return f"Zq7key{self.number:06d}qZvisible"

    def base(self, upstream: Upstream, port: str = "main", spec: str = "") -> str:
        return f"{upstream.url(port)}/fault/{spec or self.fault}/{self.name}{PATHS[self.dialect]}"


def prompt_of(asked: Demand, seed: str) -> str:
    return f"Tell it. [[T:{seed}:{asked.words}:{asked.flags}]]"


def call(case: Case, base: str | list[str], prompt: str, asked: Demand, **more: Any) -> dict[str, Any]:
    """The arguments of `create_async_generator`; a list of bases is a call with several endpoints."""
    question: list[Message] = [{"role": "user", "content": prompt}]
    raw = case.dialect in ("completions", "tgi")
    return {
        "model": "fault",
        "messages": [] if raw else question,
        "prompt": prompt if raw else None,
        "api_base": base,
        "api_key": case.key,
        "max_tokens": asked.max_tokens,
        "temperature": 0,
        **LIMITS,
        **asked.options,
        **more,
    }


async def listen(arguments: Mapping[str, Any], outcome: Outcome, patience: float = PATIENCE) -> None:
    """Run a call to its end and note what its caller sees."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(patience) as bound:
            async for event in HuggingFaceInference.create_async_generator(**arguments):
                if isinstance(event, str):
                    outcome.text += event
                elif isinstance(event, FinishReason):
                    outcome.ends.append(event.reason)
    except Exception as error:  # noqa: BLE001 - whatever reaches the caller is the finding
        outcome.hung = bound.expired()
        outcome.error = error
    outcome.seconds = time.monotonic() - began


async def play(upstream: Upstream, entry: Entry, dialect: str, ear: Ear, **more: Any) -> Verdict:
    """Run a fault of the server on one dialect and judge it."""
    case, asked = Case(entry.id, dialect), demand(entry.id)
    prompt = prompt_of(asked, f"s{case.number}")
    outcome = Outcome(expected=await upstream.expected(prompt, asked.max_tokens))
    base: str | list[str] = case.base(upstream)
    if entry.id.startswith("replica_"):
        base = [case.base(upstream), case.base(upstream, "alt")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if entry.id == "keepalive_stale":
            await _stale(case, base, prompt, asked, outcome)
        else:
            await listen(call(case, base, prompt, asked, **more), outcome)
    outcome.requests = await upstream.log(case.name)
    outcome.leaked = leak(case.key, outcome.error, ear)
    return judge(entry, dialect, asked, outcome)


async def _stale(case: Case, base: str | list[str], prompt: str, asked: Demand, outcome: Outcome) -> None:
    """A second call on a session whose idle connection the server has closed meanwhile."""
    async with Session() as session:
        arguments = call(case, base, prompt, asked, session=session)
        await listen(arguments, Outcome())
        await asyncio.sleep(0.03)
        await listen(arguments, outcome)
