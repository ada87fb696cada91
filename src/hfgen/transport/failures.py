"""What the HTTP library raises becomes hfgen's own: the only place that knows its exceptions."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from hfgen.errors import ConnectionFailed, HfgenError, TimedOut
from hfgen.limits import Limits
from hfgen.wire import Target


@asynccontextmanager
async def translated(target: Target, limits: Limits) -> AsyncGenerator[None, None]:
    """Bound the wait for an answer's head, and say in our words why none came.

    Raises:
        ConnectionFailed: No connection, or it broke.
        TimedOut: Nothing came within `limits.connect` and `limits.first_token`.
    """
    import aiohttp  # noqa: PLC0415

    try:
        async with asyncio.timeout(limits.first_token):
            yield
    except HfgenError:
        raise
    except (aiohttp.ConnectionTimeoutError, aiohttp.ServerTimeoutError) as error:
        raise TimedOut(
            f"no connection to {target.name} {_within(limits.connect)}",
            hint="Check the address and the network, or allow more with connect_timeout=.",
        ) from error
    except TimeoutError as error:
        raise TimedOut(
            f"{target.name} did not begin to answer {_within(limits.first_token)}",
            hint="Allow more with first_token_timeout= or timeout=.",
        ) from error
    except (aiohttp.ClientError, OSError, ValueError, EOFError) as error:
        raise failure(error, target.name) from error


def failure(error: BaseException, name: str) -> ConnectionFailed:
    """`ConnectionFailed` with the reason in plain words."""
    import aiohttp  # noqa: PLC0415

    match error:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            said, hint = f"the proxy to {name} failed: {_reason(error)}", "Check proxy= or the *_PROXY variables."
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
            said, hint = f"no secure connection to {name}: {_reason(error)}", "Check the certificate and https/http."
        case aiohttp.ClientConnectorDNSError():
            said, hint = f"the name of {name} is not known", "Check the address and the network."
        case aiohttp.ClientConnectorError():
            said, hint = f"no connection to {name}: {_reason(error)}", "Is the server running at this address?"
        case aiohttp.InvalidURL():
            said, hint = f"{name} is no address", "Give one such as http://127.0.0.1:8080."
        case aiohttp.ClientPayloadError():
            said, hint = f"{name} closed the connection in the middle of its answer", ""
        case aiohttp.ServerDisconnectedError():
            said, hint = f"{name} closed the connection without an answer", ""
        case _:
            said, hint = f"the connection to {name} broke: {_reason(error)}", ""
    return ConnectionFailed(said, hint=hint)


def _reason(error: BaseException) -> str:
    reason = getattr(error, "os_error", None) or error
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _within(limit: float | None) -> str:
    return "in time" if limit is None else f"within {limit:g} s"
