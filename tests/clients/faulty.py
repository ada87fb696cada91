"""Every fault of the catalogue behind the gateway, with openai's own client in front: what it sees, as a table.

The client tries nothing a second time, so what heals is healed by the gateway. A cut that cannot be healed has to reach
it as an error of its own kind: an answer that ends early and looks whole is what must never be.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clients.environments import PROGRAMS
from faults.__main__ import SHARED, table
from faults.catalogue import Demand, Entry, demand, entries
from faults.outcome import Outcome, Verdict, beside_the_text
from faults.play import LIMITS, Case, prompt_of
from faults.scenes import SCENES
from faults.upstream import Upstream, running
from gateway_server import gateway
from hfgen.gateway.settings import Settings
from hfgen.limits import Limits

KEY: Final = "Zq7key999999qZvisible"
_MOST: Final = 100_000  # without a number a raw completion has 16 tokens, as OpenAI's has
# The scenes that are only another address.
_ELSEWHERE: Final = {"conn_refused": "refused", "conn_blackhole": "blackhole"}
_CLASSES: Final = {
    "s401": "AuthenticationError",
    "s402": "APIStatusError",
    "s404": "NotFoundError",
    "s422": "BadRequestError",
    "s429_long": "RateLimitError",
    "s503_forever": "InternalServerError",
    "header_stall_forever": "InternalServerError",
    "mid_error_fatal": "APIError",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One fault on one dialect."""

    entry: Entry
    case: Case
    asked: Demand

    @property
    def bases(self) -> tuple[str, ...]:
        """What is wrong with the case's address, or with the server behind it, is the fault."""
        return ("main", "alt") if self.entry.id.startswith("replica_") else ("main",)

    @property
    def apart(self) -> bool:
        """Whether it needs a gateway of its own settings."""
        return len(self.bases) > 1 or bool(self.asked.options)


async def verdicts(interpreter: Path, only: set[str]) -> list[Verdict]:
    """All of them, judged."""
    listed = [one for one in entries(SHARED) if (not only or one.id in only)]
    played = [one for one in listed if one.id not in SCENES or one.id in _ELSEWHERE]
    chosen = [Run(one, Case(one.id, dialect), demand(one.id)) for one in played for dialect in one.dialects]
    async with running(SHARED) as upstream, AsyncExitStack() as stack:
        jobs = [job async for job in _jobs(upstream, chosen, stack)]
        said = {one["id"]: one for one in await _driven(interpreter, jobs)}
        return [await _verdict(upstream, run, said[run.case.name]) for run in chosen]


async def _jobs(upstream: Upstream, chosen: list[Run], stack: AsyncExitStack) -> AsyncIterator[dict[str, Any]]:
    """What the client is told to ask, each before a gateway that runs until the stack ends."""
    names = {run.case.name: (f"fault@{_base(upstream, run)}",) for run in chosen if not run.apart}
    common = await stack.enter_async_context(gateway(_settings(names=names)))
    for run in chosen:
        base, model = common, run.case.name
        if run.apart:
            addresses = tuple(_base(upstream, run, port) for port in run.bases)
            own = _settings(api_base=addresses, options=run.asked.options)
            base, model = await stack.enter_async_context(gateway(own)), "fault"
        yield {
            "id": run.case.name,
            "base": f"{base}/v1",
            "model": model,
            "chat": run.case.dialect == "chat",
            "prompt": _prompt(run),
            "max_tokens": run.asked.max_tokens or _MOST,
            "twice": run.entry.id == "keepalive_stale",
        }


def _base(upstream: Upstream, run: Run, port: str = "main") -> str:
    elsewhere = _ELSEWHERE.get(run.entry.id)
    return run.case.base(upstream, elsewhere or port, "ok" if elsewhere else "")


def _settings(options: dict[str, Any] | None = None, **given: Any) -> Settings:
    waits = {**LIMITS, **(options or {})}
    patience = Limits.of(**{name.removesuffix("_timeout"): seconds for name, seconds in waits.items()})
    return Settings(upstream_key=KEY, patience=patience, **given)


def _prompt(run: Run) -> str:
    return prompt_of(run.asked, f"s{run.case.number}")


async def _driven(interpreter: Path, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        *(str(interpreter), str(PROGRAMS / "openai_stream.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={},
    )
    said, _ = await process.communicate("\n".join(map(json.dumps, jobs)).encode())
    return [json.loads(line) for line in said.splitlines()]


async def _verdict(upstream: Upstream, run: Run, said: dict[str, Any]) -> Verdict:
    entry, asked = run.entry, run.asked
    outcome = Outcome(text=said["text"], ends=said["ends"], seconds=said["seconds"])
    outcome.expected = await upstream.expected(_prompt(run), asked.max_tokens)
    outcome.requests = await upstream.log(run.case.name)
    kind = _kind(outcome, said)
    wrong = [] if kind in entry.accept else [f"{kind}, where {'|'.join(sorted(entry.accept))} is right: {said}"[:600]]
    wrong += beside_the_text(asked, outcome)
    if kind == "ok" and outcome.ends != [asked.finish]:
        wrong.append(f"ended with {outcome.ends}, not [{asked.finish!r}]")
    if kind == "clean":
        wrong += _of_the_error(run, said)
    return Verdict(entry.id, run.case.dialect, kind, "; ".join(wrong), len(outcome.requests), outcome.seconds)


def _kind(outcome: Outcome, said: dict[str, Any]) -> str:
    """How the client saw it end, in one word; the worst that is true of it."""
    if KEY in json.dumps(said):
        return "leak"
    if said["error"] == "TimeoutError":
        return "hang"
    if not outcome.expected.startswith(outcome.text):
        return "altered"
    if said["error"]:
        return "raw" if said["error"].startswith("raw") else "clean"
    return "ok" if outcome.text == outcome.expected else "truncated"


def _of_the_error(run: Run, said: dict[str, Any]) -> list[str]:
    wrong = []
    if said["ends"]:
        wrong.append(f"it had said that it ended: {said['ends']}")
    if said["error"] != _CLASSES.get(run.entry.id, said["error"]):
        wrong.append(f"{said['error']}, where {_CLASSES[run.entry.id]} is right")
    if run.asked.retry_after and said["retry_after"] != str(run.asked.retry_after):
        wrong.append(f"retry-after is {said['retry_after']!r}")
    if run.asked.partial and not said["text"]:
        wrong.append("the text so far did not reach the client")
    return wrong


async def report(interpreter: Path, only: set[str]) -> bool:
    """Print the table and what is not right; whether all is."""
    began = time.monotonic()
    seen = await verdicts(interpreter, only)
    red = [one for one in seen if not one.passed]
    print(table(seen, [one.id for one in entries(SHARED)]))
    for one in red:
        print(f"{one.fault} {one.dialect}: {one.wrong}")
    healed = sum(one.kind == "ok" and one.requests > 1 for one in seen)
    print(f"{len(seen) - len(red)} of {len(seen)} as perfect, {healed} of them healed unseen, ", end="")
    print(f"{sum(one.kind == 'truncated' for one in seen)} truncated, {time.monotonic() - began:.0f} s")
    return not red
