"""`hfgen batch INPUT --dry-run`: the exact prompts of three rows, and what the whole would come to."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from hfgen.batch.bad_row import BadRow
from hfgen.batch.job import Job
from hfgen.batch.rows.input import Jobs, Reading
from hfgen.cli.batch_board import dollars
from hfgen.cli.terminal import aside, harmless, is_terminal
from hfgen.errors import HfgenError, UsageError
from hfgen.openai_api.arguments import chat_arguments
from hfgen.openai_api.bounds import Bounds
from hfgen.openai_api.refusal import Refusal
from hfgen.openai_api.schema import ChatRequest, ImageRequest, TextRequest, read

if TYPE_CHECKING:
    from hfgen.transport.session import Session

_SHOWN: Final = 3
_CHARACTERS_A_TOKEN: Final = 4.0  # of English, about; where nobody can count


@dataclass(slots=True)
class _Counted:
    """The whole input, read once."""

    rows: int = 0
    wrong: int = 0
    size: int = 0


async def show_sample(place: str, reading: Reading, asked: Mapping[str, Any]) -> None:
    """Print the prompts on stdout, and the estimate on stderr.

    Raises:
        UsageError: The input is none.
        HfgenError: The prompts cannot be known.
    """
    from hfgen import Session  # noqa: PLC0415 - brings the network along

    shown, counted = await asyncio.to_thread(_read, place, reading)
    if not shown:
        raise UsageError(f"{place}: no row of it can be asked")
    async with Session() as session:
        seen = [await _prompt(job, asked, session) for job in shown]
        for job, (prompt, tokens) in zip(shown, seen, strict=True):
            count = "" if tokens is None else f", {tokens} tokens"
            aside(f"--- {job.custom_id}{count}")
            click.echo(harmless(prompt) if is_terminal(sys.stdout) else prompt)
        await _estimate(shown, seen, counted, asked, session)


def _read(place: str, reading: Reading) -> tuple[list[Job], _Counted]:
    counted = _Counted()
    shown: list[Job] = []
    with Jobs(place, reading) as rows:
        for row in rows:
            counted.rows += 1
            if isinstance(row, BadRow):
                counted.wrong += 1
                continue
            counted.size += len(row.body)
            if len(shown) < _SHOWN:
                shown.append(row)
    return shown, counted


async def _prompt(job: Job, asked: Mapping[str, Any], session: "Session") -> tuple[str, int | None]:
    """What the model gets, and how many tokens it is where somebody can count them."""
    try:
        match job.url:
            case "/v1/chat/completions":
                return await _rendered(read(job.body, ChatRequest), asked, session)
            case "/v1/completions":
                raw = read(job.body, TextRequest).prompt
                return raw if isinstance(raw, str) else "\n".join(raw), None
            case "/v1/images/generations":
                return read(job.body, ImageRequest).prompt, None
    except Refusal as refused:
        raise UsageError(f"{job.custom_id}: {refused.message}") from None


async def _rendered(request: ChatRequest, asked: Mapping[str, Any], session: "Session") -> tuple[str, int | None]:
    from hfgen.generation import generation  # noqa: PLC0415 - with the network
    from hfgen.limits import Limits  # noqa: PLC0415
    from hfgen.options import Options  # noqa: PLC0415
    from hfgen.providers.huggingface import HuggingFaceInference  # noqa: PLC0415
    from hfgen.providers.inspector import inspect, token_count  # noqa: PLC0415

    given = chat_arguments(request, asked.get("bounds") or Bounds())
    model = request.model or asked["model"] or ""
    form: Options = {"tools": given.get("tools"), "chat_template_kwargs": given.get("chat_template_kwargs")}
    sampling = {"max_tokens": given["max_tokens"] or asked["max_tokens"]}
    name = HuggingFaceInference.get_model(model) if model else ""
    wanted = generation(
        name, given["messages"], None, given.get("action"), sampling, (None, None, None), None, Limits(), form
    )
    base = next(iter(asked["api_base"] or ()), "")
    seen = await inspect(wanted, session, api_base=base, api_key=asked["api_key"])
    return seen.prompt, await token_count(seen, session)


async def _estimate(
    shown: Sequence[Job], seen: Sequence[tuple[str, int | None]], counted: _Counted, asked: Mapping[str, Any],
    session: "Session",
) -> None:  # fmt: skip
    """Say what all rows come to, from these; an answer is taken to be as long as it may be."""
    rows = counted.rows - counted.wrong
    wrong = f", and {counted.wrong:,} that cannot be asked" if counted.wrong else ""
    counts = [tokens if tokens is not None else len(prompt) / _CHARACTERS_A_TOKEN for prompt, tokens in seen]
    prompts = round(sum(counts) * counted.size / sum(len(job.body) for job in shown))
    guessed = "" if all(tokens is not None for _, tokens in seen) else ", a token taken for 4 characters"
    aside(f"{rows:,} rows{wrong}; about {prompts:,} tokens of prompts{guessed}")
    longest = asked["max_tokens"]
    if longest is None:
        aside("answers: as long as the servers let them be; --max-tokens bounds them")
        return
    aside(f"answers: at most {rows * longest:,} tokens ({longest:,} each)")
    aside(f"cost: at most {await _cost(prompts, rows * longest, asked, session)}")


async def _cost(prompts: int, answers: int, asked: Mapping[str, Any], session: "Session") -> str:
    """By the router's prices; `$?` where nobody tells."""
    from hfgen.batch.pacing.allowance import Need  # noqa: PLC0415 - with the network
    from hfgen.batch.pacing.spending import Cost, Prices  # noqa: PLC0415
    from hfgen.hub.offers import offers_of  # noqa: PLC0415

    model, _, provider = (asked["model"] or "").partition(":")
    if asked["api_base"] or not model:
        return dollars(None)
    try:
        offers = await offers_of(session, model, asked["api_key"])
    except HfgenError:
        return dollars(None)
    cost = Prices(offers).cost(Need(prompts, answers), provider)
    return dollars(Cost(cost.high, cost.high) if cost else None)
