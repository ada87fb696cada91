"""Pictures that are fetched by an address: kept in memory for an hour, under names that nobody can guess."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from hfgen.media import Media
from hfgen.openai_api.refusal import Refusal

PICTURES: Final = "/v1/images/files/"
"""Below this they are."""
_HOUR: Final = 3600.0
# Whatever the bytes are, a browser runs nothing in them.
AS_A_PICTURE: Final = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
}


class _Kept(NamedTuple):
    media: Media
    since: float


class PictureStore:
    """The oldest go first where there are too many.

    Args:
        most: Bytes of all pictures together.
        lifetime: Seconds for which each is kept.
        clock: Seconds that only ever grow.
    """

    def __init__(self, most: int, lifetime: float = _HOUR, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._lifetime = lifetime
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0

    def put(self, media: Media) -> str:
        """Keep a picture; its name is 128 random bits, and the ending of its type."""
        name = f"{secrets.token_hex(16)}{media.extension}"
        self._kept[name] = _Kept(media, self._clock())
        self._size += len(media.data)
        self._tidy()
        return name

    def get(self, name: str) -> Media | None:
        """The picture of this name, None where it is no longer kept."""
        self._tidy()
        kept = self._kept.get(name)
        return kept.media if kept else None

    def _tidy(self) -> None:
        old = self._clock() - self._lifetime
        while self._kept:
            first = next(iter(self._kept.values()))
            if self._size <= self.most and first.since > old:
                return
            self._size -= len(self._kept.popitem(last=False)[1].media.data)


async def shown(request: Request) -> Response:
    """`GET /v1/images/files/{name}`.

    Raises:
        Refusal: It is not kept, or no longer.
    """
    media = request.app.state.pictures.get(request.path_params["name"])
    if media is None:
        raise Refusal(404, "no such picture; each is kept for an hour at most", code="no_such_picture")
    return Response(media.data, headers=AS_A_PICTURE, media_type=media.media_type)
