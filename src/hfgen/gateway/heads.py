"""What the head of every answer says, whoever made it."""

from typing import Final

from starlette.types import Scope

LEFT_OUT: Final = "X-Hfgen-Left-Out"
"""Names the options that an answer was made without, where its form has no place for them."""
Headers = list[tuple[bytes, bytes]]
_NO_STORE: Final = (b"cache-control", b"no-store")
_NO_SNIFF: Final = (b"x-content-type-options", b"nosniff")
# What a page of another origin may read beside the body.
_EXPOSED: Final = (b"access-control-expose-headers", b"x-request-id, retry-after, x-hfgen-left-out")


def completed(headers: Headers, scope: Scope) -> Headers:
    """The headers with the request's id, and with what every answer says.

    No cache keeps it, no browser guesses its type, and the page that may call (`hfgen.origin`, which the guard sets)
    may read it.
    """
    names = {name for name, _ in headers}
    more = [(b"x-request-id", scope["hfgen.request_id"].encode())]
    more += [each for each in (_NO_STORE, _NO_SNIFF) if each[0] not in names]
    if origin := scope.get("hfgen.origin"):
        more += [(b"access-control-allow-origin", origin.encode("latin-1")), _EXPOSED, (b"vary", b"Origin")]
    return [*headers, *more]
