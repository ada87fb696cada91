"""One row, through the waist: asked, heard to its end, worded as OpenAI words it."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final, TypeAlias

from hfgen.batch import outcomes, pictures
from hfgen.batch.effort import Effort
from hfgen.batch.job import Job
from hfgen.batch.pacing.allowance import Need
from hfgen.batch.pacing.pace import Lane
from hfgen.batch.policy import Again, asked_for, text_of
from hfgen.batch.question import Question, question_of
from hfgen.batch.result import Failure, Result
from hfgen.batch.setting import Setting
from hfgen.errors import BadRequest, HfgenError, TimedOut
from hfgen.events import Event, FinishReason, Progress, Usage
from hfgen.openai_api import chat_chunks, text_chunks
from hfgen.openai_api.refusal import Refusal
from hfgen.providers.huggingface import HuggingFaceInference, generation_of, in_batches
from hfgen.servers.detect import detect, parse_api_base
from hfgen.transport.session import Session

FORMAT: Final = "response_format"
_USUAL_ANSWER: Final = 512  # tokens that are allowed for where a row names no longest answer
_BYTES_A_TOKEN: Final = 4
_WHOM: Final = frozenset({"api_base", "api_key", "model_file"})  # options of the job that are no row's
_LONGEST_NAME: Final = 128  # characters of a row's name that an Idempotency-Key holds as it is


Events: TypeAlias = AsyncGenerator[Sequence[Event], None]
"""Of an answer, those together that came together."""
Ask: TypeAlias = Callable[[str, Mapping[str, Any]], Events]


def _asked(session: Session, setting: Setting, model: str, arguments: Mapping[str, Any]) -> Events:
    whom = setting.options
    asked = generation_of(model, arguments)
    return in_batches(asked, session, setting.bases, whom.get("api_key"), whom.get("model_file"))


class Answerer:
    """Asks for rows, one request at a time for each of their answers; whoever calls it decides when, and how often.

    Args:
        session: Shared with every other row.
        setting: How rows are asked.
        ask: Answers a model's name and arguments; None for the models that the setting names.
    """

    def __init__(self, session: Session, setting: Setting, ask: Ask | None = None) -> None:
        self._session = session
        self._setting = setting
        self._policy = setting.policy
        self._options: dict[str, Any] = {
            **{name: value for name, value in setting.options.items() if name not in _WHOM},
            "retry": False,  # whoever calls decides when a row is asked again
        }
        self._schema_doubted = setting.policy.schema is not None and FORMAT not in self._options
        self._schema_refused = False
        if self._schema_doubted and setting.policy.schema is not None:
            self._options[FORMAT] = asked_for(setting.policy.schema)
        self._ask = ask or partial(_asked, session, setting)
        self._provider: str = setting.options.get("provider") or ""
        self._server = ",".join(setting.bases)

    @staticmethod
    def check(setting: Setting) -> None:
        """Refuse what is impossible for every row, which is no row's fault, before the first of them.

        Raises:
            UsageError: An option that no server could take.
        """
        for base in setting.bases:
            parse_api_base(base)
        HuggingFaceInference.create_async_generator(
            setting.model or None, [{"role": "user", "content": "?"}], **setting.options
        )

    def begin(self, job: Job) -> Effort:
        """The row as it is asked; what is wrong with it is told by `answer`."""
        try:
            question = question_of(job, self._setting.model, self._options, self._setting.bounds)
        except Refusal as refused:
            return Effort(job, refused, Lane(self._server, self._setting.model), Need())
        longest = question.max_tokens or _USUAL_ANSWER
        need = Need(len(job.body) // _BYTES_A_TOKEN + 1, longest * len(question.questions))
        return Effort(job, question, Lane(self._server, self._with_provider(question.model)), need)

    def _with_provider(self, model: str) -> str:
        """As the router would be asked: another provider goes at another pace, and has another price."""
        return f"{model}:{self._provider}" if self._provider and ":" not in model else model

    async def answer(self, effort: Effort) -> Result:
        """What becomes of a row: an answer, or an error that is the row's own.

        Raises:
            HfgenError: Nobody answered, or nobody will answer any row; `effort` tells what was spent.
            OutputFailed: A picture cannot be written.
        """
        if effort.begun is None:
            effort.begun = _now()
            longest = self._setting.longest
            effort.deadline = None if longest is None else effort.begun + longest
        try:
            return await self._answered(effort, effort.question)
        except (Refusal, *outcomes.OF_THE_ROW) as error:
            return outcomes.refused(effort, error, _seconds(effort))

    def failed(self, effort: Effort, error: HfgenError) -> Result:
        """What becomes of a row that is not to be asked again."""
        return outcomes.unanswered(effort, error, _seconds(effort))

    async def _answered(self, effort: Effort, question: Question | Refusal) -> Result:
        if isinstance(question, Refusal):
            raise question
        question, answers = await self._begun(question, effort)
        while verdict := await self._verdict(question, answers, effort):
            if isinstance(verdict, Failure):
                seconds = _seconds(effort)
                return outcomes.rejected(effort, verdict, text_of(answers[0]), seconds)
            effort.asked_again += 1
            question = question.again(verdict.max_tokens, redraw=verdict.redraw)
            answers = await self._heard(question, effort)
        body = await self._worded(question, answers, effort)
        return outcomes.answered(effort, body, _seconds(effort))

    async def _begun(self, question: Question, effort: Effort) -> tuple[Question, list[list[Event]]]:
        """The first answers; where the server may be one that refuses a schema, it is asked without it too."""
        if self._schema_refused:
            question = question.without(FORMAT)
        try:
            answers = await self._heard(question, effort)
        except BadRequest:
            if not self._schema_doubted or question.url != "/v1/chat/completions":
                raise
            question = question.without(FORMAT)
            answers = await self._heard(question, effort)
            self._schema_refused = True
        self._schema_doubted = False
        return question, answers

    async def _verdict(
        self, question: Question, answers: Sequence[Sequence[Event]], effort: Effort
    ) -> Again | Failure | None:
        if not self._policy.judges or question.url == "/v1/images/generations":
            return None
        context = await self._context() if self._policy.on_length == "retry" else None
        return self._policy.judge(answers, effort.asked_again, question.max_tokens, context)

    async def _heard(self, question: Question, effort: Effort) -> list[list[Event]]:
        """Every event of every answer; all of them, or none."""
        effort.first_token = None
        if len(question.questions) == 1:
            return [await self._events(question, question.questions[0], effort)]
        hearing = [
            asyncio.create_task(self._events(question, each, effort, place))
            for place, each in enumerate(question.questions)
        ]
        try:
            return await asyncio.gather(*hearing)
        finally:
            for task in hearing:
                task.cancel()
            await asyncio.gather(*hearing, return_exceptions=True)

    async def _events(
        self, question: Question, arguments: dict[str, Any], effort: Effort, place: int = 0
    ) -> list[Event]:
        try:
            told = await _told(self._stream(question, self._with_name(arguments, effort, place), effort), effort)
        except HfgenError as error:
            effort.attempts += error.attempts
            effort.server = error.server or effort.server
            raise
        self._note(told, effort)
        return told

    def _stream(self, question: Question, arguments: dict[str, Any], effort: Effort) -> Events:
        if effort.deadline is not None:
            arguments = {**arguments, "total_timeout": self._left(effort.deadline)}
        return self._ask(question.model, arguments)

    def _with_name(self, arguments: dict[str, Any], effort: Effort, place: int) -> dict[str, Any]:
        """A question that is repeated has the same name; another question for the same row has another.

        So has an edited row: a server that knows the name would give the old answer, or refuse the new body.
        """
        if not self._setting.run:
            return arguments
        custom_id = effort.job.custom_id
        if len(custom_id) > _LONGEST_NAME or not (custom_id.isascii() and custom_id.isprintable()):
            custom_id = hashlib.blake2b(custom_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        which = f"/{effort.asked_again}.{place}" if effort.asked_again or place else ""
        return {**arguments, "idempotency_key": f"{self._setting.run}/{custom_id}/{effort.job.digest}{which}"}

    def _left(self, deadline: float) -> float:
        left = deadline - _now()
        if left <= 0:
            raise TimedOut(f"the row's {self._setting.longest:g} seconds are over", hint="Allow a row more time.")
        return left

    @staticmethod
    def _note(told: Sequence[Event], effort: Effort) -> None:
        for event in reversed(told):
            match event:
                case FinishReason():
                    effort.attempts += event.attempts
                    effort.resumed += event.resumed
                    effort.server, effort.model = event.server, event.model
                case Usage():
                    effort.prompt_tokens += event.prompt_tokens
                    effort.completion_tokens += event.completion_tokens
                    return
                case _:
                    pass

    async def _worded(self, question: Question, answers: Sequence[Sequence[Event]], effort: Effort) -> bytes:
        name, created, model = secrets.token_hex(12), int(time.time()), effort.model or question.model
        match question.url:
            case "/v1/chat/completions":
                return chat_chunks.whole(f"chatcmpl-{name}", created, model, answers)
            case "/v1/completions":
                return text_chunks.whole(f"cmpl-{name}", created, model, answers, question.each)
            case "/v1/images/generations":
                return await pictures.worded(answers[0], effort.job.custom_id, self._setting.folder)

    async def _context(self) -> int | None:
        """What the server says of its context; it was asked already, when it was first met."""
        bases = self._setting.bases
        if not bases:
            return None
        try:
            return (await detect(self._session, parse_api_base(bases[0]), self._setting.options.get("api_key"))).context
        except HfgenError:
            return None


async def _told(answer: Events, effort: Effort) -> list[Event]:
    """All events, text that came together in one piece."""
    began = _now()
    told: list[Event] = []
    pieces: list[str] = []
    async with aclosing(answer):
        async for events in answer:
            if effort.first_token is None and not all(isinstance(event, Progress) for event in events):
                effort.first_token = _now() - began  # of several answers the first to speak counts
            for event in events:
                if type(event) is str:
                    pieces.append(event)
                    continue
                if pieces:
                    told.append("".join(pieces))
                    pieces.clear()
                told.append(event)
    return told


def _now() -> float:
    return asyncio.get_running_loop().time()


def _seconds(effort: Effort) -> float:
    return 0.0 if effort.begun is None else _now() - effort.begun
