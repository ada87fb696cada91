"""How much of the gateway each caller gets: answers at once, and requests a minute."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send


class Allowance(Protocol):
    """What each caller may still take."""

    def share(self, caller: str) -> AbstractAsyncContextManager[None]:
        """One answer's share, held as long as the context lasts.

        Raises:
            Refusal: The caller has none left; 429, with the time after which it will.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what it is kept in."""
        ...


class Shares:
    """Lets each caller have its share; only requests that a model answers count.

    Args:
        app: What is shared.
        allowance: What each may take.
    """

    def __init__(self, app: ASGIApp, allowance: Allowance) -> None:
        self._app = app
        self._allowance = allowance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what its caller has a share left for.

        Raises:
            Refusal: It has none.
        """
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        async with self._allowance.share(scope.get("hfgen.caller", "")):
            await self._app(scope, receive, send)
