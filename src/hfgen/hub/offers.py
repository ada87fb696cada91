"""Who serves a model through the router, at what price and speed: `GET {router}/v1/models`."""

from typing import Final, TypeVar

import msgspec

from hfgen.errors import HfgenError, ServerError
from hfgen.hub.catalogue import router_endpoint
from hfgen.limits import Limits
from hfgen.transport.session import Session
from hfgen.wire import Target, WireRequest

T = TypeVar("T")

_LIMITS: Final = Limits(connect=10.0, first_token=20.0, idle=20.0)
_LARGEST: Final = 16 * 2**20


class Pricing(msgspec.Struct, frozen=True):
    """US dollars for a million tokens."""

    input: float | None = None
    output: float | None = None


class Offer(msgspec.Struct, frozen=True):
    """One provider's terms, by the router's names; None is what it does not say, and any metric may be missing."""

    provider: str
    status: str = "live"
    context_length: int | None = None
    pricing: Pricing | None = None
    is_free: bool | None = None
    supports_tools: bool | None = None
    supports_structured_output: bool | None = None
    first_token_latency_ms: float | None = None
    throughput: float | None = None
    """Tokens a second."""
    is_model_author: bool | None = None


class Architecture(msgspec.Struct, frozen=True):
    """What a model takes in and gives, such as `text` and `image`."""

    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()


class Offered(msgspec.Struct, frozen=True):
    """A chat model behind the router, and who serves it."""

    id: str
    owned_by: str = ""
    architecture: Architecture = Architecture()
    providers: tuple[Offer, ...] = ()


class _Listing(msgspec.Struct):
    data: list[msgspec.Raw]


async def router_models(session: Session, token: str | None = None) -> list[Offered]:
    """The chat models that the router serves.

    Raises:
        HfgenError: The router could not be asked, or its answer is no list of models.
    """
    target = Target(router_endpoint(), "router", token=token, label="Hugging Face router")
    request = WireRequest(target.url("/v1/models"), method="GET", headers={"Accept": "application/json"})
    try:
        body = await session.fetch(request, target, _LIMITS, _LARGEST)
    except HfgenError as error:
        raise error.at(server=target.name) from None
    listing = _read(body.data, _Listing)
    if listing is None:
        raise ServerError("the router's answer is no list of models", hint=f"Is {target.base} the router?")
    models = (_read(bytes(item), Offered) for item in listing.data)  # one odd entry costs nobody the others
    return [model for model in models if model is not None]


async def offers_of(session: Session, model: str, token: str | None = None) -> tuple[Offer, ...]:
    """What the providers ask for a model; none where the router does not serve it, or not for a chat.

    Raises:
        HfgenError: As for `router_models`.
    """
    offered = await router_models(session, token)
    return next((found.providers for found in offered if found.id == model), ())


def _read(data: bytes, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
