"""Pictures that are fetched by an address: kept for an hour, in bounds, under names that nobody can guess."""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import aclosing
from typing import Final, NamedTuple, Protocol

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from hfgen.events import ImageResponse
from hfgen.gateway.telling import Events
from hfgen.media import Media
from hfgen.openai_api.refusal import Refusal

PICTURES: Final = "/v1/images/files/"
"""Below this they are."""
HOUR: Final = 3600.0
# Whatever the bytes are, a browser runs nothing in them.
AS_A_PICTURE: Final = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
}


class PictureStore(Protocol):
    """Where they are: the oldest go first where there are too many."""

    async def put(self, media: Media) -> str:
        """Keep a picture; its name is 128 random bits, and the ending of its type."""
        ...

    async def get(self, name: str) -> Media | None:
        """The picture of this name, None where it is not kept, or no longer."""
        ...


def new_name(media: Media) -> str:
    """A name that nobody can guess."""
    return f"{secrets.token_hex(16)}{media.extension}"


class _Kept(NamedTuple):
    media: Media
    since: float


class PicturesInMemory:
    """Of one process.

    Args:
        most: Bytes of all pictures together.
        lifetime: Seconds for which each is kept.
        clock: Seconds that only ever grow.
    """

    def __init__(self, most: int, lifetime: float = HOUR, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._lifetime = lifetime
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0

    async def put(self, media: Media) -> str:
        """Keep a picture."""
        name = new_name(media)
        self._kept[name] = _Kept(media, self._clock())
        self._size += len(media.data)
        self._tidy()
        asyncio.get_running_loop().call_later(self._lifetime, self._tidy)  # also where nobody asks for any again
        return name

    async def get(self, name: str) -> Media | None:
        """The picture of this name."""
        self._tidy()
        kept = self._kept.get(name)
        return kept.media if kept else None

    def _tidy(self) -> None:
        old = self._clock() - self._lifetime
        while self._kept:
            first = next(iter(self._kept.values()))
            if self._size <= self._most and first.since > old:
                return
            self._size -= len(self._kept.popitem(last=False)[1].media.data)


async def kept(events: Events, store: PictureStore, base: str) -> Events:
    """The same events, each picture with the address below `base` that it can be fetched from."""
    async with aclosing(events):
        async for batch in events:
            yield [await _kept(event, store, base) if isinstance(event, ImageResponse) else event for event in batch]


async def _kept(picture: ImageResponse, store: PictureStore, base: str) -> ImageResponse:
    return replace(picture, source_url=base + await store.put(picture.media))


async def shown(request: Request) -> Response:
    """`GET /v1/images/files/{name}`.

    Raises:
        Refusal: It is not kept, or no longer.
    """
    store: PictureStore | None = request.app.state.pictures
    media = await store.get(request.path_params["name"]) if store else None
    if media is None:
        raise Refusal(404, "no such picture; each is kept for an hour at most", code="no_such_picture")
    return Response(media.data, headers=AS_A_PICTURE, media_type=media.media_type)
