"""The names and types of the options that a call may give."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from typing_extensions import TypedDict

from hfgen.errors import UnknownOption, UsageError

Mode: TypeAlias = Literal["auto", "chat", "raw", "image"]
Action: TypeAlias = Literal["next", "continue", "variant"]
SpecialTokens: TypeAlias = Literal["keep", "neutralise", "refuse"]


class Options(TypedDict, total=False, closed=True):
    """Every option beside the named arguments. None of them is ever swallowed: a server that cannot do one is named.

    Sampling: `top_p, top_k, min_p, stop, repetition_penalty, presence_penalty, frequency_penalty, logprobs` (True, or
    how many alternatives). Form: `tools, tool_choice, response_format, chat_template` (the name of one of the model's
    templates, or the source of another: hfgen then renders the prompt itself), `chat_template_kwargs`. Route:
    `provider, bill_to, mode` (`auto`, `chat`, `raw`, `image`). Images: `n, negative_prompt, num_inference_steps,
    guidance_scale, scheduler`. Time, in seconds: `connect_timeout, first_token_timeout, idle_timeout, total_timeout`.
    Manners: `strict` (raise where hfgen would warn), `special_tokens_in_content`, `heal` (go on with an answer that
    broke off: True wherever the text can be checked, False never; left out, where the server is known to continue
    exactly). `fit` (True: of a conversation longer than the known context the oldest turns are left out; False: it is
    sent as it is), `isolate` (True: templates run in a process of their own, for a server that renders those of any
    model). For callers who schedule many calls themselves: `retry` (False: what fails before its first payload is not
    asked again, other endpoints of `api_base` apart; a stream that breaks later still heals), `idempotency_key` (sent
    with each request for the whole answer, for servers that know an `Idempotency-Key`; at most 255 printable ASCII
    characters).
    """

    top_p: float | None
    top_k: int | None
    min_p: float | None
    stop: str | Sequence[str] | None
    repetition_penalty: float | None
    presence_penalty: float | None
    frequency_penalty: float | None
    logprobs: bool | int | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    response_format: Mapping[str, Any] | None
    chat_template: str | None
    chat_template_kwargs: Mapping[str, Any] | None
    provider: str | None
    bill_to: str | None
    mode: Mode
    n: int
    negative_prompt: str | None
    num_inference_steps: int | None
    guidance_scale: float | None
    scheduler: str | None
    connect_timeout: float | None
    first_token_timeout: float | None
    idle_timeout: float | None
    total_timeout: float | None
    strict: bool
    special_tokens_in_content: SpecialTokens | None
    heal: bool | None
    fit: bool
    isolate: bool
    retry: bool
    idempotency_key: str | None


_OPTIONS: Final = frozenset(Options.__annotations__)


def check_options(options: Mapping[str, object]) -> None:
    """Refuse an option that does not exist, and name the nearest that does.

    Raises:
        UnknownOption: It is also a TypeError, as for any misspelt keyword.
    """
    for name in options.keys() - _OPTIONS:
        from difflib import get_close_matches  # noqa: PLC0415 - needed for an error only

        near = get_close_matches(name, _OPTIONS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"The options are: {', '.join(sorted(_OPTIONS))}."
        raise UnknownOption(f"no option is called {name!r}", hint=hint)


def check_type(name: str, value: object, kind: type) -> None:
    """Refuse an argument of another type, by its name; None is for the caller to judge.

    Raises:
        UsageError: It is of another type.
    """
    if value is not None and not isinstance(value, kind):
        raise UsageError(
            f"{name}={value!r}: it must be a {kind.__name__.lower()}, and this is a {type(value).__name__}"
        )
