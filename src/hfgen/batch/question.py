"""What a row asks, as arguments of `create_async_generator`: its own words first, then the batch's options."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, assert_never

from hfgen.batch.job import Job, Url
from hfgen.hub.catalogue import DEFAULT_IMAGE_MODEL
from hfgen.openai_api.arguments import chat_arguments, image_arguments, text_arguments
from hfgen.openai_api.bounds import Bounds
from hfgen.openai_api.refusal import Refusal
from hfgen.openai_api.schema import ChatRequest, ImageRequest, Sampling, TextRequest, read
from hfgen.sources import is_path

_MOST_ANSWERS: Final = 16  # as in the gateway


class Question(NamedTuple):
    """What a row asks.

    Attributes:
        url: Of which kind the answer is.
        model: As the row or the batch names it, "" for the server's own.
        questions: The arguments of each answer, all of them to be had side by side.
        each: How many of them go to the same prompt.
    """

    url: Url
    model: str
    questions: list[dict[str, Any]]
    each: int = 1

    @property
    def max_tokens(self) -> int | None:
        """The longest answer that is asked for, None where the server decides."""
        return self.questions[0].get("max_tokens")

    def again(self, max_tokens: int | None, *, redraw: bool) -> "Question":
        """The same question once more.

        Args:
            max_tokens: The longest answer.
            redraw: With seeds that no earlier time had.
        """
        questions = [{**question, "max_tokens": max_tokens} for question in self.questions]
        if redraw:
            for question in questions:
                question["seed"] = ((question.get("seed") or 0) + len(questions)) % 2**32
        return self._replace(questions=questions)

    def without(self, option: str) -> "Question":
        """The same question, and nothing said of this."""
        kept = [{name: value for name, value in question.items() if name != option} for question in self.questions]
        return self._replace(questions=kept)


def question_of(job: Job, model: str, options: Mapping[str, Any], bounds: Bounds) -> Question:
    """The arguments of a row.

    Args:
        job: The row.
        model: The batch's own, for rows that name none.
        options: The batch's arguments of `create_async_generator`.
        bounds: What a row may ask for.

    Raises:
        Refusal: The body is none, or out of bounds.
    """
    match job.url:
        case "/v1/chat/completions":
            chat = read(job.body, ChatRequest)
            if chat.prompt_inspect:
                raise _refused("prompt_inspect", "a batch answers; `hfgen render` shows prompts")
            return _in_words(job.url, chat, [chat_arguments(chat, bounds)], model, options)
        case "/v1/completions":
            text = read(job.body, TextRequest)
            prompts = text_arguments(text, bounds)
            if text.max_tokens is None and options.get("max_tokens") is not None:
                prompts = [{**prompt, "max_tokens": options["max_tokens"]} for prompt in prompts]
            return _in_words(job.url, text, prompts, model, options)
        case "/v1/images/generations":
            picture = read(job.body, ImageRequest)
            return Question(
                job.url,
                _model(picture.model, model) or ("" if options.get("api_base") else DEFAULT_IMAGE_MODEL),
                [_with(options, image_arguments(picture, bounds))],
            )
        case _:
            assert_never(job.url)


def _in_words(
    url: Url, row: Sampling, prompts: list[dict[str, Any]], model: str, options: Mapping[str, Any]
) -> Question:
    each = 1 if row.n is None else row.n
    if not 1 <= each <= _MOST_ANSWERS:
        raise _refused("n", f"it must lie between 1 and {_MOST_ANSWERS}")
    questions = [_with(options, prompt) for prompt in prompts]
    if each > 1:
        questions = [_drawn(question, index) for question in questions for index in range(each)]
    return Question(url, _model(row.model, model), questions, each)


def _with(options: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The row's own words go first; null is the same as none."""
    return {**options, **{name: value for name, value in row.items() if value is not None}}


def _drawn(question: dict[str, Any], index: int) -> dict[str, Any]:
    seed = question.get("seed")
    return question if seed is None else {**question, "seed": (seed + index) % 2**32}


def _model(named: str | None, own: str) -> str:
    """A row is data: it has no file of this machine opened as a model, unless the batch itself names that file."""
    if named and named != own and is_path(named):
        raise _refused("model", "a row names a model, and no path; give a path with -m")
    return named or own


def _refused(field: str, why: str) -> Refusal:
    return Refusal(400, f"{field}: {why}", param=field, code="invalid_value")
