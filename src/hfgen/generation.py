"""All that was asked for, as one frozen value; checked here, before any I/O."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, Final, get_args

import msgspec

from hfgen.errors import UsageError
from hfgen.limits import Limits
from hfgen.messages import Message, Messages, check_messages, ends_with_assistant
from hfgen.options import Action, Mode, Options, SpecialTokens, check_type
from hfgen.sizes import Size, Wish, wish_of


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
        retry: Whether what failed before its first payload is asked again.
        idempotency_key: Names the call to servers that answer the same call only once, "" for none.
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
    retry: bool = True
    idempotency_key: str = ""
    limits: Limits = Limits()

    @property
    def text(self) -> str:
        """The prompt given, or "" when the messages are the prompt."""
        return self.prompt or ""


_MODES: Final = get_args(Mode)
_ACTIONS: Final = get_args(Action)
_SPECIAL_TOKENS: Final = get_args(SpecialTokens)
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "temperature": (0, 100),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "repetition_penalty": (0, 100),
}
_LONGEST_KEY: Final = 255
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
    mode = _mode(options)
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
        retry=options.get("retry", True),
        idempotency_key=_key(options.get("idempotency_key")),
        limits=limits,
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


def _key(key: str | None) -> str:
    """What may stand in a header as it is (RFC 9110, 5.5)."""
    check_type("idempotency_key", key, str)
    key = key or ""
    if len(key) > _LONGEST_KEY or not (key.isascii() and key.isprintable()) or key != key.strip():
        raise UsageError(f"idempotency_key={key!r}: it must be at most {_LONGEST_KEY} printable ASCII characters")
    return key


def _at_least(name: str, value: int, least: int) -> int:
    check_type(name, value, int)
    if value < least:
        raise UsageError(f"{name}={value!r}: it must be at least {least}")
    return value


def _mode(options: Options) -> Mode:
    mode: Mode = options.get("mode") or "auto"
    if mode not in _MODES:
        raise UsageError(f"mode={mode!r}: it must be one of {', '.join(_MODES)}")
    return mode
