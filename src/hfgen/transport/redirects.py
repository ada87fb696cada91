"""The few redirects that are safe to follow."""

from typing import TYPE_CHECKING
from urllib.parse import urljoin

from hfgen.wire import WireRequest, origin_of

if TYPE_CHECKING:
    import aiohttp


def redirect(response: "aiohttp.ClientResponse", request: WireRequest) -> str | None:
    """Where to go on: a GET anywhere, a POST only within its own origin and only where it stays a POST."""
    if response.status not in (301, 302, 303, 307, 308) or "Location" not in response.headers:
        return None
    try:
        where = urljoin(str(response.url), response.headers["Location"])
        origin = origin_of(where)
    except ValueError:
        return None
    if not where.startswith(("http://", "https://")):
        return None
    if request.method == "GET" and not request.stays:
        return where
    return where if origin == origin_of(request.url) and response.status in (307, 308) else None
