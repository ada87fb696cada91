"""The Hub's records of models: asked once, kept for a while."""

import asyncio
import copy
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final, cast
from urllib.parse import quote, urlencode

import msgspec

from hfgen.errors import ConnectionFailed, HfgenError, MissingAuth, ModelNotSupportedError, ServerError, SessionClosed
from hfgen.facts import ModelFacts
from hfgen.hub.memory import Memory, fingerprint
from hfgen.limits import Limits
from hfgen.redaction import conceal
from hfgen.transport.session import Session
from hfgen.wire import Target, WireRequest

_TRUE: Final = frozenset({"1", "on", "yes", "true"})  # huggingface_hub, constants.py
# What `ModelFacts` and `models show` read; huggingface_hub's ExpandModelProperty_T lists all that there is.
_FIELDS: Final = (
    "author",
    "config",
    "downloads",
    "gated",
    "gguf",
    "inferenceProviderMapping",
    "lastModified",
    "library_name",
    "likes",
    "pipeline_tag",
    "private",
    "sha",
    "tags",
)
_LIMITS: Final = Limits(connect=10.0, first_token=20.0, idle=20.0)
_LARGEST: Final = 16 * 2**20
_MOST_HUBS: Final = 16
_SILENCE: Final = 30.0  # seconds for which a Hub that did not answer is not waited for by those who can do without
_REPOSITORY: Final = re.compile(r"(?!.*(?:--|\.\.))[\w-][\w.-]{0,95}(?:/[\w-][\w.-]{0,95})?", re.ASCII)


def hub_endpoint() -> str:
    """Where the Hub is: HF_ENDPOINT, else huggingface.co."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def hub_offline() -> bool:
    """Whether the user forbids asking the Hub (HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE)."""
    return any(_is_set(name) for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def hub_token() -> str | None:
    """The user's token, found as huggingface_hub finds it: HF_TOKEN, else the stored login.

    Raises:
        MissingAuth: The environment asks for a kind of login that failed.
    """
    if _is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        return None
    token = _named_token() or _stored_token()
    conceal(token)
    return token


async def find_token() -> str | None:
    """`hub_token` for async callers: it may have to read files, or refresh a login over the network."""
    return hub_token() if _named_token() else await asyncio.to_thread(hub_token)


def _named_token() -> str | None:
    """What HF_TOKEN says, unless OIDC is asked for, which goes before it."""
    if os.environ.get("HF_OIDC_RESOURCE"):
        return None
    named = os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN") or ""
    return named.replace("\r", "").replace("\n", "").strip() or None


def _stored_token() -> str | None:
    from huggingface_hub import get_token  # noqa: PLC0415 - some 0.2 s, for a file that few calls need

    try:
        return get_token()
    except Exception as error:  # whatever it raises (OIDC, refresh of an OAuth login), there is no token
        raise MissingAuth(f"no Hugging Face token could be had: {error}", hint="Set HF_TOKEN.") from error


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").lower() in _TRUE


class ModelCache(MutableMapping[str, Mapping[str, Any]]):
    """Records of models, kept by Hub, model and who asked; the tokens themselves are not kept.

    As a mapping it goes by the model's name alone: reading gives the record that was used last, whoever asked for it;
    a record set by hand serves everyone who asks this Hub; deleting forgets the model for all.

    Args:
        most: How many records are kept.
        lifetime: Seconds for which a record is good.
        clock: Seconds that only ever grow.
    """

    _ANYONE: Final = "*"

    def __init__(self, most: int = 512, lifetime: float = 600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._memory: Memory[tuple[str, str, str], Mapping[str, Any]] = Memory(most, lambda _: lifetime, clock)
        self._silent: Memory[str, str] = Memory(_MOST_HUBS, lambda _: _SILENCE, clock)

    async def record(self, session: Session, model: str, token: str | None) -> Mapping[str, Any]:
        """The record itself, not to be changed; from the cache or the Hub."""
        hub = hub_endpoint()
        given = self.kept(model, token)
        if given is not None:
            return given
        return await self._memory.get((hub, model, fingerprint(token)), lambda: _ask(session, model, token))

    async def record_at_hand(self, session: Session, model: str, token: str | None) -> Mapping[str, Any] | None:
        """As `record`, or None where the Hub does not answer; for a while it is then not waited for again."""
        hub = hub_endpoint()
        if self._silent.find(hub):
            return self.kept(model, token)
        try:
            return await self.record(session, model, token)
        except (ModelNotSupportedError, MissingAuth, SessionClosed):
            raise
        except HfgenError:
            if not hub_offline():  # which costs no time, and may be unset any moment
                self._silent.put(hub, hub)
            return None

    def kept(self, model: str, token: str | None) -> Mapping[str, Any] | None:
        """The record in the cache, not to be changed."""
        hub = hub_endpoint()
        given = self._memory.find((hub, model, self._ANYONE))
        return self._memory.find((hub, model, fingerprint(token))) if given is None else given

    def __getitem__(self, model: str) -> Mapping[str, Any]:
        for key in reversed(self._keys(model)):
            record = self._memory.find(key)
            if record is not None:
                return copy.deepcopy(record)
        raise KeyError(model)

    def __setitem__(self, model: str, record: Mapping[str, Any]) -> None:
        self._memory.put((hub_endpoint(), model, self._ANYONE), copy.deepcopy(record))

    def __delitem__(self, model: str) -> None:
        keys = self._keys(model)
        if not keys:
            raise KeyError(model)
        for key in keys:
            self._memory.forget(key)

    def clear(self) -> None:
        """Forget every model, of every Hub, and which Hub did not answer."""
        self._memory.clear()
        self._silent.clear()

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(model for hub, model, _ in self._memory.known() if hub == hub_endpoint()))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _keys(self, model: str) -> list[tuple[str, str, str]]:
        return [key for key in self._memory.known() if key[:2] == (hub_endpoint(), model)]


MODEL_DATA: Final = ModelCache()
"""The records of this process."""


async def get_model_data(
    session: Session, model: str, token: str | None = None, *, cache: ModelCache = MODEL_DATA
) -> dict[str, Any]:
    """The Hub's record of a model (`GET /api/models/{id}`), a copy of your own; renames are followed.

    Raises:
        ModelNotSupportedError: The Hub knows no such model.
        MissingAuth: It is private or gated; in the Hub's own words.
        HfgenError: The Hub could not be asked.
    """
    return dict(copy.deepcopy(await cache.record(session, model, token)))


async def model_facts(
    session: Session, model: str, token: str | None = None, *, cache: ModelCache = MODEL_DATA
) -> ModelFacts:
    """What the Hub's record says, typed; errors as for `get_model_data`."""
    return ModelFacts.from_hub(await cache.record(session, model, token))


async def facts_at_hand(
    session: Session, model: str, token: str | None = None, *, cache: ModelCache = MODEL_DATA
) -> ModelFacts | None:
    """What the Hub's record says, for a caller who can do without: None where the Hub does not answer.

    Raises:
        ModelNotSupportedError: The Hub knows no such model.
        MissingAuth: It is private or gated; in the Hub's own words.
    """
    record = await cache.record_at_hand(session, model, token)
    return None if record is None else ModelFacts.from_hub(record)


async def ask_hub(
    session: Session, path: str, query: Mapping[str, str | int], fields: tuple[str, ...], token: str | None
) -> object:
    """The JSON that the Hub answers a GET with.

    Args:
        session: The network.
        path: What follows the Hub's address.
        query: The query, without the fields.
        fields: What the records shall hold.
        token: Sent to the Hub only.

    Raises:
        HfgenError: The Hub may not or could not be asked, or answered with an error or with no JSON.
    """
    hub = hub_endpoint()
    target = Target(hub, token=token, label="Hugging Face Hub" if hub == "https://huggingface.co" else f"Hub at {hub}")
    if hub_offline():
        raise ConnectionFailed(
            "the Hugging Face Hub is not asked, because HF_HUB_OFFLINE is set",
            hint="Unset it, use the local model (model='local'), or give api_base= of a server that you can reach.",
        )
    pairs = [*query.items(), *(("expand[]", field) for field in fields)]
    request = WireRequest(f"{hub}{path}?{urlencode(pairs)}", method="GET", headers={"Accept": "application/json"})
    try:
        body = await session.fetch(request, target, _LIMITS, _LARGEST)
    except HfgenError as error:
        raise error.at(server=target.name) from None
    try:
        return cast("object", msgspec.json.decode(body.data))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerError(
            f"the Hub answered with {body.media_type or 'something'} that is no JSON",
            hint=f"Does {hub} lead to the Hub, or to a proxy's own page?",
        ).at(server=target.name) from error


async def _ask(session: Session, model: str, token: str | None) -> Mapping[str, Any]:
    if not _REPOSITORY.fullmatch(model):
        raise ModelNotSupportedError(f"{model!r} is no name of a model", hint="A name looks like owner/name.")
    try:
        record = await ask_hub(session, f"/api/models/{quote(model)}", {}, _FIELDS, token)
    except ModelNotSupportedError as error:
        raise ModelNotSupportedError(
            f"the Hub knows no model {model!r}",
            hint="Check the owner and the name, as they stand on the model's page; `hfgen models QUERY` searches.",
        ).at(server=error.server, request_id=error.request_id) from error
    except MissingAuth as error:
        error.hint = (  # the Hub does not tell a stranger whether a model exists
            f"{model} is private or gated, or there is no such model: check its name, accept its terms on its page, "
            f"and check the token (HF_TOKEN, `hf auth login`)."
        )
        raise error.at(model=model) from None
    except HfgenError as error:
        raise error.at(model=model) from None
    if not isinstance(record, dict) or not cast("dict[str, Any]", record).get("id"):
        raise ServerError(f"the Hub's record of {model} has no id", hint=f"Does {hub_endpoint()} lead to the Hub?")
    return cast("dict[str, Any]", record)
