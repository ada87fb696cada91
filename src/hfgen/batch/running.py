"""A whole job: rows in, each answered and recorded once, results out."""

import asyncio
import os
import secrets
import warnings
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from typing_extensions import Unpack

from hfgen.batch.answer_schema import AnswerSchema
from hfgen.batch.dedup import Dedup
from hfgen.batch.ends import Ends
from hfgen.batch.feeding import Feeding, Jobs
from hfgen.batch.journal.journal import Journal
from hfgen.batch.journal.sidecar import Source
from hfgen.batch.opening import Opening, check_call, here, priced
from hfgen.batch.pacing.allowance import Rates
from hfgen.batch.pacing.budget import Budget
from hfgen.batch.pacing.concurrency import MOST
from hfgen.batch.pacing.spending import Prices
from hfgen.batch.policy import OnLength, Policy
from hfgen.batch.pricing import check_bound
from hfgen.batch.recording import Output, recording
from hfgen.batch.result import Result
from hfgen.batch.runner import Engine
from hfgen.batch.setting import Setting
from hfgen.batch.stopping import Stopping
from hfgen.batch.tally import Tally
from hfgen.errors import UsageError
from hfgen.openai_api.bounds import Bounds
from hfgen.options import Options
from hfgen.transport.session import Session

Schema: TypeAlias = Mapping[str, Any] | AnswerSchema | None


class _Given(NamedTuple):
    """What of a call concerns the rows."""

    jobs: Jobs
    schema: Schema
    dedup: bool


class _Opened(NamedTuple):
    """How an engine is opened, and what it may take."""

    opening: Opening
    budget: Budget
    proxy: str | None
    session: Session | None

    async def of(self, setting: Setting) -> AbstractAsyncContextManager[Engine]:
        """The engine of a job, which knows the prices."""
        return self.opening(setting, await priced(self.budget, setting, self.proxy, self.session))


def _warn(sentence: str) -> None:
    warnings.warn(sentence, UserWarning, stacklevel=2)


def run(
    jobs: Jobs,
    *,
    out: str | os.PathLike[str] | None = None,
    source: Source = Source("jobs"),  # noqa: B008 - frozen
    force: bool = False,
    retry_failed: bool = False,
    model: str | None = None,
    api_base: str | list[str] | None = None,
    api_key: str | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    seed: int | None = None,
    on_length: OnLength = "keep",
    schema: Schema = None,
    tries: int = 2,
    row_timeout: float | None = None,
    deadline: float | None = None,
    max_cost: float | None = None,
    max_errors: int | str | None = None,
    concurrency: int | None = None,
    most: int = MOST,
    rpm: float | None = None,
    tpm: float | None = None,
    prices: Mapping[str, Prices] | None = None,
    pictures: Literal["folder", "line"] = "folder",
    dedup: bool = False,
    bounds: Bounds | None = None,
    engine: Opening | None = None,
    proxy: str | None = None,
    session: Session | None = None,
    model_file: str | None = None,
    tally: Tally | None = None,
    notice: Callable[[str], None] = _warn,
    **options: Unpack[Options],
) -> AsyncGenerator[Result, None]:
    """Answer many requests, each of them once; results come in the order in which they are had.

    Leaving the generator closes every request at once. A result is yielded only after it stands in `out`.

    Args:
        jobs: Prompts, conversations, `{"custom_id", "url", "body"}` as of the OpenAI Batch API, or `Job`s. What is no
            async iterable is read in a thread, a few hundred rows ahead. What can be iterated over twice is compared
            with `out` before the first row is asked; else it is meanwhile.
        out: The output, one line of JSON for each row, and the journal of the job: the same call goes on where an
            earlier one ended. None records nothing.
        source: Where the jobs come from, as the sidecar of `out` names it.
        force: Go on with `out` although it was made with other parameters.
        retry_failed: Ask again for the rows of `out` that have failed.
        model: For rows that name none; None for the default.
        api_base: A server of your own, or several with the same model.
        api_key: For `api_base`, or the Hugging Face token; else what huggingface_hub finds.
        max_tokens: The longest answer of rows that name none; None leaves it to the server.
        temperature: As `max_tokens`.
        seed: As `max_tokens`.
        on_length: Of an answer cut by `max_tokens`: `keep` it, `retry` with twice as much, or record an `error`.
        schema: A JSON schema that every answer has to fit; needs the extra `schema`.
        tries: How often a row is asked again for the sake of the schema.
        row_timeout: Seconds for a row, from its first request on.
        deadline: Seconds for the job.
        max_cost: US dollars for the job, by the highest price that may apply.
        max_errors: Rows that may fail, or their share (`"5%"`).
        concurrency: Rows asked side by side, always so many; None finds out how many the server takes well.
        most: Rows asked side by side at most, while that is found out.
        rpm: Requests a minute.
        tpm: Tokens a minute, of prompts and answers.
        pictures: Whether they are files in a folder beside `out`, or stand in its lines in base64.
        prices: Of each model; None asks the router for its own, where it answers.
        dedup: Ask rows that ask the same, at temperature 0 or with a seed, only once; the others get a copy of the
            result when all else has ended. Needs `out`.
        bounds: What a row may ask for.
        engine: Answers the rows; one machine's own where it is None.
        proxy: As for `Session`.
        session: Connections shared with other calls; it has a proxy of its own.
        model_file: A GGUF file for the local engine.
        tally: Counts along, for whoever watches.
        notice: Told, in sentences, what a person should know of `out` and the rows; else it is a warning.
        **options: Of every row that does not say otherwise: see `Options`.

    Raises:
        UsageError: At once: an option that no server could take, or a bound that cannot be kept. With the first step:
            `schema` is none; `out` was made with other parameters, or another run writes to it; two rows have one name;
            there is a bound for an unknown cost.
        JobStopped: A limit of the job was reached, and what was under way has ended.
        OutputFailed: The disk is full, or the like; what was recorded before is whole.
        HfgenError: No row can be answered: no token, no credit, nobody there. All results so far are recorded.
    """
    ends = Ends.of(deadline, max_cost, max_errors)
    asked = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
    given = {"api_base": api_base, "api_key": api_key, "model_file": model_file, **options}
    setting = Setting(
        model=model or "",
        options={
            "max_tokens": max_tokens,
            **{name: value for name, value in (asked | given).items() if value is not None},
        },
        policy=Policy(on_length, tries=tries),
        bounds=bounds or Bounds(),
        folder=None if out is None or pictures == "line" else _folder(Path(out)),
        longest=row_timeout,
        run=secrets.token_hex(8),
    )
    if dedup and out is None:
        raise UsageError("dedup=True needs out=: the copies are made from what is recorded there")
    check_call(setting, proxy=proxy, session=session)
    check_bound(setting, prices, max_cost)
    budget = Budget(concurrency, Rates(requests=rpm, tokens=tpm), prices, max_cost, most)
    opening = engine or here(proxy, session)
    output = None if out is None else Output(Path(out), source, force=force, retry_failed=retry_failed)
    return _run(
        _Given(jobs, schema, dedup),
        setting,
        output,
        _Opened(opening, budget, proxy, session),
        ends,
        tally or Tally(),
        notice,
    )


def _folder(out: Path) -> Path:
    """`answers.jsonl` has its pictures in `answers_files`."""
    return out.with_name(f"{out.stem}_files")


async def _run(
    given: _Given,
    setting: Setting,
    output: Output | None,
    opening: _Opened,
    ends: Ends,
    tally: Tally,
    notice: Callable[[str], None],
) -> AsyncGenerator[Result, None]:
    schema = given.schema
    checks = await asyncio.to_thread(AnswerSchema, schema) if isinstance(schema, Mapping) else schema
    setting = replace(setting, policy=replace(setting.policy, schema=checks))
    stopping = Stopping(ends)
    async with AsyncExitStack() as stack:
        journal = None
        if output is not None:
            journal = await stack.enter_async_context(recording(output, setting, tally, stopping.because))
            setting = replace(setting, run=journal.meta.run)
            for sentence in journal.notices:
                notice(sentence)
        dedup = None
        if given.dedup:
            settled = (setting.options.get("temperature"), setting.options.get("seed"))
            dedup = stack.enter_context(await asyncio.to_thread(Dedup, *settled))
        feeding = Feeding(given.jobs, journal, tally, dedup, notice)
        engine = await stack.enter_async_context(await opening.of(setting))
        await feeding.survey()
        rows = await stack.enter_async_context(aclosing(feeding.rows()))
        results = await stack.enter_async_context(aclosing(engine.results(rows)))
        tally.under_way, tally.slots = lambda: engine.under_way, lambda: engine.slots
        stack.enter_context(stopping.of(engine))
        async for result in results:
            _record(result, journal, tally)
            stopping.judge(tally)
            yield result
        stopping.tell()
        async for copy in await stack.enter_async_context(aclosing(feeding.copies())):
            _record(copy, journal, tally)
            yield copy


def _record(result: Result, journal: Journal | None, tally: Tally) -> None:
    if journal is not None:
        journal.append(result)
    tally.add(result)
