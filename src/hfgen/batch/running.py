"""A whole job: rows in, each answered and recorded once, results out."""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from typing_extensions import Unpack

from hfgen.batch.allowance import Rates
from hfgen.batch.answer_schema import AnswerSchema
from hfgen.batch.answerer import Answerer
from hfgen.batch.bad_row import BadRow
from hfgen.batch.budget import Budget
from hfgen.batch.ends import Ends
from hfgen.batch.given import Given, job_of
from hfgen.batch.job import Job
from hfgen.batch.journal import Journal
from hfgen.batch.policy import OnLength, Policy
from hfgen.batch.reading import read
from hfgen.batch.recording import Output, recording
from hfgen.batch.result import Result
from hfgen.batch.runner import Engine, Runner
from hfgen.batch.setting import Setting
from hfgen.batch.sidecar import Source
from hfgen.batch.spending import Prices
from hfgen.batch.stopping import Stopping
from hfgen.batch.tally import Tally
from hfgen.openai_api.bounds import Bounds
from hfgen.options import Options
from hfgen.transport.session import Session
from hfgen.wire import Head

Jobs: TypeAlias = "Iterable[Given] | AsyncIterable[Given]"
Schema: TypeAlias = Mapping[str, Any] | AnswerSchema | None
Opening: TypeAlias = Callable[[Setting, Budget], AbstractAsyncContextManager[Engine]]
"""Opens an engine for a job that may take so much, and closes it after."""


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
    rpm: float | None = None,
    tpm: float | None = None,
    prices: Mapping[str, Prices] | None = None,
    bounds: Bounds | None = None,
    engine: Opening | None = None,
    session: Session | None = None,
    tally: Tally | None = None,
    **options: Unpack[Options],
) -> AsyncGenerator[Result, None]:
    """Answer many requests, each of them once; results come in the order in which they are had.

    Leaving the generator closes every request at once. A result is yielded only after it stands in `out`.

    Args:
        jobs: Prompts, conversations, `{"custom_id", "url", "body"}` as of the OpenAI Batch API, or `Job`s. What is no
            async iterable is read in a thread, a few hundred rows ahead.
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
        max_cost: US dollars for the job.
        max_errors: Rows that may fail, or their share (`"5%"`).
        concurrency: Rows asked side by side, always so many; None finds out how many the server takes well.
        rpm: Requests a minute.
        tpm: Tokens a minute, of prompts and answers.
        prices: Of each model; without them no cost is known.
        bounds: What a row may ask for.
        engine: Answers the rows; one machine's own where it is None.
        session: Connections shared with other calls.
        tally: Counts along, for whoever watches.
        **options: Of every row that does not say otherwise: see `Options`.

    Raises:
        UsageError: At once: an option that no server could take. With the first step: `schema` is none; `out` was made
            with other parameters, or another run writes to it.
        JobStopped: A limit of the job was reached, and what was under way has ended.
        OutputFailed: The disk is full, or the like; what was recorded before is whole.
        HfgenError: No row can be answered: no token, no credit, nobody there. All results so far are recorded.
    """
    ends = Ends.of(deadline, max_cost, max_errors)
    asked = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
    given = {"api_base": api_base, "api_key": api_key, **options}
    setting = Setting(
        model=model or "",
        options={
            "max_tokens": max_tokens,
            **{name: value for name, value in (asked | given).items() if value is not None},
        },
        policy=Policy(on_length, tries=tries),
        bounds=bounds or Bounds(),
        folder=None if out is None else _folder(Path(out)),
        longest=row_timeout,
        run=secrets.token_hex(8),
    )
    Answerer.check(setting)
    budget = Budget(concurrency, Rates(requests=rpm, tokens=tpm), prices or {}, max_cost)
    opening = engine or _here(session)
    output = None if out is None else Output(Path(out), source, force=force, retry_failed=retry_failed)
    return _run(jobs, setting, schema, output, opening, budget, ends, tally or Tally())


def _folder(out: Path) -> Path:
    """`answers.jsonl` has its pictures in `answers_files`."""
    return out.with_name(f"{out.stem}_files")


def _here(session: Session | None) -> Opening:
    @asynccontextmanager
    async def opened(setting: Setting, budget: Budget) -> AsyncGenerator[Engine, None]:
        def heard(head: Head) -> None:
            runner.heard(head)

        async with Session(heard=heard) if session is None else nullcontext(session) as shared:
            runner = Runner(Answerer(shared, setting), budget.pace())
            yield runner

    return opened


async def _run(
    jobs: Jobs,
    setting: Setting,
    schema: Schema,
    output: Output | None,
    opening: Opening,
    budget: Budget,
    ends: Ends,
    tally: Tally,
) -> AsyncGenerator[Result, None]:
    checks = await asyncio.to_thread(AnswerSchema, schema) if isinstance(schema, Mapping) else schema
    setting = replace(setting, policy=replace(setting.policy, schema=checks))
    stopping = Stopping(ends)
    async with AsyncExitStack() as stack:
        journal = None
        if output is not None:
            journal = await stack.enter_async_context(recording(output, setting, tally, stopping.because))
            setting = replace(setting, run=journal.meta.run)
        engine = await stack.enter_async_context(opening(setting, budget))
        rows = await stack.enter_async_context(aclosing(_rows(jobs, journal, tally)))
        results = await stack.enter_async_context(aclosing(engine.results(rows)))
        tally.under_way = lambda: engine.under_way
        stack.enter_context(stopping.of(engine))
        async for result in results:
            if journal is not None:
                journal.append(result)
            tally.add(result)
            stopping.judge(tally)
            yield result
        stopping.tell()


async def _rows(jobs: Jobs, journal: Journal | None, tally: Tally) -> AsyncGenerator[Job | BadRow, None]:
    """Those that are not done yet."""

    def wanted(job: Job | BadRow) -> bool:
        done = journal is not None and journal.done(job)
        tally.skip(done)
        return not done

    if isinstance(jobs, AsyncIterable):
        row = 0
        async for given in jobs:
            row += 1
            job = job_of(given, row)
            if journal is None or await asyncio.to_thread(wanted, job):
                yield job
        return
    made = (job_of(given, row) for row, given in enumerate(jobs, 1))
    async with aclosing(read(made, wanted)) as kept:
        async for job in kept:
            yield job
