"""What the HTTP library raises becomes hfgen's own: the only place that knows its exceptions."""

import socket
import ssl
from http import HTTPStatus

from hfgen.errors import ConnectionFailed
from hfgen.redaction import redact


def failure(error: BaseException, name: str) -> ConnectionFailed:
    """`ConnectionFailed` with the reason in plain words.

    The cause goes along unless it holds a secret: a request's headers, or what a server echoed. To be raised outside
    the handler of `error`, which would become its context.
    """
    said, hint = _said(error, name)
    failed = ConnectionFailed(said, hint=hint, lasting=_lasts(error))
    failed.__cause__ = None if _holds_secret(error) else error
    return failed


def _holds_secret(error: BaseException | None) -> bool:
    while error is not None:
        shown = f"{error} {error!r}"
        if redact(shown) != shown:
            return True
        error = error.__cause__ or error.__context__
    return False


def died_unanswered(error: BaseException) -> bool:
    """Whether a connection that stood closed before any answer came."""
    import aiohttp  # noqa: PLC0415

    gone = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)
    return isinstance(error, gone) and not isinstance(error, aiohttp.ClientConnectorError)


def _lasts(error: BaseException) -> bool:
    """Whether the next attempt fails the same way: a name nobody knows, a certificate, an address that is none."""
    import aiohttp  # noqa: PLC0415

    match error:
        case aiohttp.ClientConnectorDNSError():
            return getattr(error.os_error, "errno", None) != socket.EAI_AGAIN
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
            return True
        case aiohttp.ClientHttpProxyError():
            return error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
        case _:
            return isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientResponseError)


def _said(error: BaseException, name: str) -> tuple[str, str]:
    import aiohttp  # noqa: PLC0415

    match error:
        case _ if _of_proxy(error):
            return f"the proxy to {name} failed: {_reason(error)}", "Check proxy= or the *_PROXY variables."
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
            return f"no secure connection to {name}: {_reason(error)}", "Check the certificate and https/http."
        case aiohttp.ClientConnectorDNSError():
            return f"the name of {name} is not known", "Check the address and the network."
        case aiohttp.ClientConnectorError():
            return f"no connection to {name}: {_reason(error)}", "Is the server running at this address?"
        case ValueError():  # yarl's, urllib's and aiohttp's InvalidURL
            return f"{name} is no address", "Give one such as http://127.0.0.1:8080."
        case aiohttp.ClientResponseError():
            return f"{name} does not speak HTTP as it should", "Is this the address of an HTTP server?"
        case aiohttp.ClientPayloadError():
            return f"{name} closed the connection in the middle of its answer", ""
        case aiohttp.ServerDisconnectedError():
            return f"{name} closed the connection without an answer", ""
        case _:
            return f"the connection to {name} broke: {_reason(error)}", ""


def _of_proxy(error: BaseException) -> bool:
    import aiohttp  # noqa: PLC0415

    kinds = (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)
    return isinstance(error, kinds) or "socks" in type(error).__module__  # an extra that may not be installed


def _reason(error: BaseException) -> str:
    import aiohttp  # noqa: PLC0415

    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"it answers with status {error.status}"
    reason = getattr(error, "os_error", None) or error
    if isinstance(reason, ConnectionRefusedError):  # asyncio's own words tell the address a second time
        return "connection refused"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
