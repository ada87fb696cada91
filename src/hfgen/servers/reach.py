"""Whether a server answers at all."""

from typing import Final

from hfgen.errors import ConnectionFailed, HfgenError, ResponseError, TimedOut
from hfgen.limits import Limits
from hfgen.transport.session import Session
from hfgen.wire import Target, WireRequest

_PATIENCE: Final = Limits(connect=2.0, first_token=2.0, idle=2.0)
_LARGEST: Final = 64 * 2**10
_AWAY: Final = (502, 503, 504)  # llama.cpp's /health says 503 while it loads its model; a balancer all three


async def is_reached(session: Session, root: str) -> bool:
    """Whether a server answers at its root: asked for its health without a token, and any status but "away" will do.

    Args:
        session: To ask with.
        root: The server's root, without a trailing slash.
    """
    target = Target(root)
    try:
        await session.fetch(WireRequest(target.url("/health"), method="GET"), target, _PATIENCE, _LARGEST)
    except (ConnectionFailed, TimedOut):
        return False
    except ResponseError as error:
        return error.status not in _AWAY
    except HfgenError:
        return True
    return True
