"""Who answers a request: the caller's name for a model leads to one of hfgen's routes."""

import logging
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

from hfgen.errors import BadRequest, HfgenError, PromptError, UsageError
from hfgen.events import Progress
from hfgen.gateway.names import Route, routes_of
from hfgen.gateway.settings import Settings
from hfgen.gateway.telling import Events
from hfgen.gateway.tracing import in_span
from hfgen.providers.huggingface import HuggingFaceInference
from hfgen.transport.session import Session

_log: Final = logging.getLogger("hfgen.gateway")


class Upstream:
    """The models behind a gateway, and the connections that all its callers share.

    Args:
        settings: Of the gateway.
        session: Open as long as the gateway runs.
    """

    def __init__(self, settings: Settings, session: Session) -> None:
        self.settings = settings
        self.session = session

    def answer(self, model: str, asked: Mapping[str, Any], token: str | None = None) -> Events:
        """The events that answer one request.

        Args:
            model: As the caller names it, "" for the gateway's own choice.
            asked: Arguments of `create_async_generator`.
            token: The caller's own Hugging Face token, where callers bring one.

        Raises:
            UsageError: An argument that is impossible.
        """
        routes = routes_of(model or self.settings.model, self.settings.names)
        answers = [self._answer(route, asked, token) for route in routes]
        events = answers[0] if len(answers) == 1 else _first_that_answers(answers)
        return in_span(events, model or self.settings.model, asked, next(iter(self.settings.api_base), ""))

    def _answer(self, route: Route, asked: Mapping[str, Any], token: str | None) -> Events:
        settings = self.settings
        return HuggingFaceInference.create_async_generator(
            route.model or None,
            session=self.session,
            api_base=route.api_base or settings.api_base or None,
            api_key=token or settings.upstream_key,
            **asked,
        )


async def _first_that_answers(answers: list[Events]) -> Events:
    """The answer of the first route that begins one: before the first byte the next may take over, after it none.

    The routes may be different models, so what has begun is only ever healed by its own route.
    """
    for place, events in enumerate(answers):
        begun = False
        try:
            async with aclosing(events):
                async for event in events:
                    begun = begun or not isinstance(event, Progress)
                    yield event
        except (UsageError, PromptError, BadRequest):
            raise  # the request is at fault, not the route
        except HfgenError as error:
            if begun or place == len(answers) - 1:
                raise
            _log.warning("the next route takes over: %s", error.message)
        else:
            return
