"""All that was asked for, as one frozen value; checked here, before any I/O."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec
from typing_extensions import TypedDict

from hfgen.errors import UnknownOption, UsageError
from hfgen.limits import Limits
from hfgen.messages import Message, Messages, check_messages, ends_with_assistant
from hfgen.sizes import Size, Wish, wish_of

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
    model).
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


class Sampling(msgspec.Struct, frozen=True):
    """How the next token is drawn; None leaves it to the model's own defaults. `temperature=0` is greedy."""

    max_tokens: int | None = 1024
    temperature: float | None = None
    seed: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    stop: tuple[str, ...] = ()
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: int | None = None
    """How many alternatives to report for each token; 0 for the token alone, None for no log probabilities."""


class Picture(msgspec.Struct, frozen=True):
    """What is asked of a text-to-image model; `wish` becomes `size` once it is known what the model likes."""

    size: Size | None = None
    n: int = 1
    negative_prompt: str | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str | None = None
    wish: Wish = Wish()


class Generation(msgspec.Struct, frozen=True):
    """One request, before anything is known of the model or the server.

    Attributes:
        prompt: Sent as it is in place of the messages (raw text, or what to paint), or None.
        tail: Numbers of tokens that follow the prompt: what the model wrote, where it spells a special token that it
            must not become.
        continues: The last message is the assistant's and is to be continued.
        tools: None where none were given, which chat templates tell from an empty list.
        template: The name of one of the model's chat templates, the source of another, or "" for the usual one.
        extra: Keys for the top level of the request's body.
    """

    model: str = ""
    messages: Messages = ()
    prompt: str | None = None
    tail: tuple[int, ...] = ()
    continues: bool = False
    stream: bool = True
    sampling: Sampling = Sampling()
    picture: Picture = Picture()
    tools: tuple[Mapping[str, Any], ...] | None = None
    tool_choice: str | Mapping[str, Any] | None = None
    response_format: Mapping[str, Any] | None = None
    template: str = ""
    template_kwargs: Mapping[str, Any] = msgspec.field(default_factory=dict[str, Any])
    extra: Mapping[str, Any] = msgspec.field(default_factory=dict[str, Any])
    provider: str = ""
    bill_to: str = ""
    mode: Mode = "auto"
    strict: bool = False
    special_tokens: SpecialTokens | None = None
    heal: bool | None = None
    fit: bool = True
    isolate: bool = False
    limits: Limits = Limits()

    @property
    def text(self) -> str:
        """The prompt given, or "" when the messages are the prompt."""
        return self.prompt or ""


_MODES: Final = get_args(Mode)
_ACTIONS: Final = get_args(Action)
_SPECIAL_TOKENS: Final = get_args(SpecialTokens)
_OPTIONS: Final = frozenset(Options.__annotations__)
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "temperature": (0, 100),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "repetition_penalty": (0, 100),
}
_LARGEST_SEED: Final = 2**32 - 1  # TGI and llama.cpp hold it in 32 bits; one more is another seed or an error


def generation(
    model: str,
    messages: Messages,
    prompt: str | None,
    action: str | None,
    sampling: Mapping[str, Any],
    image: tuple[str | None, int | None, int | None],
    extra: Mapping[str, Any] | None,
    limits: Limits,
    options: Options,
    *,
    stream: bool = True,
) -> Generation:
    """Check everything that can be checked without I/O, and freeze it.

    Raises:
        UsageError: A value that no server could take; the argument is named.
    """
    messages = _conversation(messages)
    if prompt is None or messages:
        check_messages(messages)
    check_type("model", model, str)
    check_type("prompt", prompt, str)
    check_type("extra_data", extra, Mapping)
    if action not in (None, *_ACTIONS):
        raise UsageError(f"action={action!r}: it must be one of {', '.join(_ACTIONS)}, or None")
    continues = action == "continue"
    if continues and not ends_with_assistant(messages):
        raise UsageError("action='continue' needs an assistant message at the end: there is nothing to continue")
    mode: Mode = options.get("mode") or "auto"
    if mode not in _MODES:
        raise UsageError(f"mode={mode!r}: it must be one of {', '.join(_MODES)}")
    special_tokens = options.get("special_tokens_in_content")
    if special_tokens not in (None, *_SPECIAL_TOKENS):
        allowed = ", ".join(_SPECIAL_TOKENS)
        raise UsageError(f"special_tokens_in_content={special_tokens!r}: it must be one of {allowed}")
    aspect_ratio, width, height = image
    return Generation(
        model=model,
        messages=messages,
        prompt=prompt,
        continues=continues,
        stream=stream,
        sampling=_sampling({**sampling, **options}),
        picture=Picture(
            n=_at_least("n", options.get("n", 1), 1),
            negative_prompt=options.get("negative_prompt"),
            num_inference_steps=options.get("num_inference_steps"),
            guidance_scale=options.get("guidance_scale"),
            scheduler=options.get("scheduler"),
            wish=wish_of(aspect_ratio, width, height),
        ),
        tools=None if (tools := options.get("tools")) is None else tuple(tools),
        tool_choice=options.get("tool_choice"),
        response_format=options.get("response_format"),
        template=options.get("chat_template") or "",
        template_kwargs=dict(options.get("chat_template_kwargs") or {}),
        extra=dict(extra or {}),
        provider=options.get("provider") or "",
        bill_to=options.get("bill_to") or "",
        mode=mode,
        strict=options.get("strict", False),
        special_tokens=special_tokens,
        heal=options.get("heal"),
        fit=options.get("fit", True),
        isolate=options.get("isolate", False),
        limits=limits,
    )


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


def _conversation(messages: Iterable[Message] | None) -> tuple[Message, ...]:
    """The messages of a list, a tuple, or any other iterable."""
    check_type("messages", messages, Iterable)
    return tuple(messages or ())


def _sampling(given: Mapping[str, Any]) -> Sampling:
    for name, (low, high) in _RANGES.items():
        value = given.get(name)
        check_type(name, value, Real)
        if value is not None and not low <= value <= high:
            raise UsageError(f"{name}={value!r}: it must lie between {low} and {high}")
    seed = given.get("seed")
    check_type("seed", seed, int)
    if seed is not None and not 0 <= seed <= _LARGEST_SEED:
        raise UsageError(f"seed={seed!r}: it must lie between 0 and {_LARGEST_SEED}")
    max_tokens = given.get("max_tokens")
    return Sampling(
        max_tokens=None if max_tokens is None else _at_least("max_tokens", max_tokens, 1),
        temperature=given.get("temperature"),
        seed=seed,
        top_p=given.get("top_p"),
        top_k=given.get("top_k"),
        min_p=given.get("min_p"),
        stop=_stops(given.get("stop")),
        repetition_penalty=given.get("repetition_penalty"),
        presence_penalty=given.get("presence_penalty"),
        frequency_penalty=given.get("frequency_penalty"),
        logprobs=_logprobs(given.get("logprobs")),
    )


def _stops(stop: str | Sequence[str] | None) -> tuple[str, ...]:
    check_type("stop", stop, Sequence)
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    for one in stops:
        check_type("stop", one, str)
        if not one:
            raise UsageError("stop holds an empty text, which every answer would stop at before it began")
    return stops


def _logprobs(asked: bool | int | None) -> int | None:
    if asked is None or asked is False:
        return None
    return 0 if asked is True else _at_least("logprobs", asked, 0)


def _at_least(name: str, value: int, least: int) -> int:
    check_type(name, value, int)
    if value < least:
        raise UsageError(f"{name}={value!r}: it must be at least {least}")
    return value
