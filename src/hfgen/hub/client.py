"""The Hub's records of models: asked once for many callers, remembered for a while, never kept when they failed."""

import asyncio
import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import quote, urlencode

import msgspec

from hfgen.errors import ConnectionFailed, MissingAuth, ModelNotSupportedError, ServerError
from hfgen.facts import ModelFacts
from hfgen.limits import Limits
from hfgen.transport.session import Session
from hfgen.wire import Target, WireRequest

Record = Mapping[str, Any]

_FIELDS: Final = (
    "author", "config", "gated", "gguf", "inferenceProviderMapping", "library_name", "pipeline_tag", "private", "sha",
    "tags",
)  # fmt: skip
_LIMITS: Final = Limits(connect=5.0, first_token=20.0, idle=20.0)
_TRUE: Final = frozenset({"1", "on", "yes", "true"})
_LARGEST: Final = 16 * 2**20


def hub_endpoint() -> str:
    """Where the Hub is: HF_ENDPOINT, or huggingface.co."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def hub_offline() -> bool:
    """Whether the user asked for no network to the Hub (HF_HUB_OFFLINE)."""
    offline = os.environ.get("HF_HUB_OFFLINE", "") or os.environ.get("TRANSFORMERS_OFFLINE", "")
    return offline.strip().lower() in _TRUE


def hub_token() -> str | None:
    """The user's token as huggingface_hub finds it; its import is slow, so the variable is looked at first."""
    token = os.environ.get("HF_TOKEN", "").strip()
    if token:
        return token
    from huggingface_hub import get_token  # noqa: PLC0415

    return get_token()


class ModelCache(Mapping[str, Record]):
    """Records by model and by who asked: bounded, and each for a while only.

    As a mapping it shows the records that are fresh, by the model's name.

    Args:
        most: How many records are kept; the oldest goes first.
        seconds: How long one is good for.
        clock: Monotonic seconds.
    """

    def __init__(self, most: int = 512, seconds: float = 600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._records: OrderedDict[tuple[str, str, str], tuple[float, Record]] = OrderedDict()

    def find(self, key: tuple[str, str, str]) -> Record | None:
        """The record under (endpoint, model, who asks), if it is fresh."""
        kept = self._records.get(key)
        return kept[1] if kept is not None and self._clock() - kept[0] < self._seconds else None

    def keep(self, key: tuple[str, str, str], record: Record) -> None:
        """Remember a record."""
        self._records[key] = (self._clock(), record)
        self._records.move_to_end(key)
        while len(self._records) > self._most:
            self._records.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._records.clear()

    def _fresh(self) -> dict[str, Record]:
        now = self._clock()
        return {key[1]: record for key, (at, record) in self._records.items() if now - at < self._seconds}

    def __getitem__(self, model: str) -> Record:
        return self._fresh()[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fresh())

    def __len__(self) -> int:
        return len(self._fresh())


MODEL_DATA: Final = ModelCache()
_flights: dict[tuple[asyncio.AbstractEventLoop, tuple[str, str, str]], "asyncio.Task[Record]"] = {}


async def get_model_data(session: Session, model: str, token: str | None = None) -> Record:
    """The Hub's record of a model, a renamed one under its new name.

    Callers who ask at the same time share one request; one of them leaving does not disturb the others.

    Raises:
        ModelNotSupportedError: The Hub knows no such model.
        MissingAuth: It is private or gated, in the Hub's words.
        ConnectionFailed: The Hub cannot be reached, or HF_HUB_OFFLINE is set.
    """
    key = (hub_endpoint(), model, hashlib.sha256((token or "").encode()).hexdigest()[:16])
    known = MODEL_DATA.find(key)
    if known is not None:
        return known
    if hub_offline():
        raise ConnectionFailed(
            f"the Hub's record of {model} is needed and HF_HUB_OFFLINE is set",
            hint="Unset it, give api_base= of a server of your own, or use the local model (model='local').",
        )
    flight_key = (asyncio.get_running_loop(), key)
    flight = _flights.get(flight_key)
    if flight is None:
        flight = asyncio.ensure_future(_fetch(session, model, token))
        _flights[flight_key] = flight
        flight.add_done_callback(lambda done: _landed(flight_key, done))
    return await asyncio.shield(flight)


async def model_facts(session: Session, model: str, token: str | None = None) -> ModelFacts:
    """`get_model_data`, typed."""
    return ModelFacts.from_hub(await get_model_data(session, model, token))


def _landed(key: tuple[asyncio.AbstractEventLoop, tuple[str, str, str]], flight: "asyncio.Task[Record]") -> None:
    _flights.pop(key, None)
    if not flight.cancelled() and flight.exception() is None:
        MODEL_DATA.keep(key[1], flight.result())


async def _fetch(session: Session, model: str, token: str | None) -> Record:
    endpoint = hub_endpoint()
    expand = urlencode([("expand[]", name) for name in _FIELDS])
    target = Target(endpoint, kind="unknown", model=model, token=token, label=f"the Hub ({endpoint})")
    request = WireRequest(f"{endpoint}/api/models/{quote(model)}?{expand}", method="GET")
    try:
        body = await session.fetch(request, target, _LIMITS, _LARGEST)
    except ModelNotSupportedError as error:
        raise ModelNotSupportedError(
            f"the Hub knows no model {model!r}", hint="Check the spelling: `hfgen models QUERY` searches."
        ).at(server=target.name) from error
    except MissingAuth as error:
        # The Hub does not tell a private model from one that does not exist unless it knows who asks.
        raise MissingAuth(
            f"the Hub does not show {model}: {error.message}",
            hint="Is the name right? A private or gated model needs a token with access: HF_TOKEN, `hf auth login`.",
            status=error.status,
        ).at(server=target.name, request_id=error.request_id) from error
    return record_of(body.data)


def record_of(data: bytes) -> Record:
    """A record's JSON.

    Raises:
        ServerError: It is none.
    """
    try:
        record: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerError(f"the Hub's answer is no JSON: {data[:80]!r}") from error
    if not isinstance(record, dict):
        raise ServerError(f"the Hub's answer is no record: {data[:80]!r}")
    return cast("dict[str, Any]", record)
