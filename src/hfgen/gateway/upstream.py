"""Who answers a request: the caller's name for a model leads to one of hfgen's routes."""

import logging
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

from hfgen.errors import BadRequest, HfgenError, ModelNotSupportedError, PromptError, UsageError
from hfgen.events import Progress
from hfgen.gateway.about import About
from hfgen.gateway.names import Route, is_foreign_path, routes_of
from hfgen.gateway.settings import Settings
from hfgen.gateway.telling import Events
from hfgen.gateway.tracing import in_span
from hfgen.generation import generation
from hfgen.hub.catalogue import DEFAULT_MODEL, LOCAL
from hfgen.hub.client import find_token
from hfgen.limits import Limits
from hfgen.options import Options
from hfgen.providers.huggingface import HuggingFaceInference, generation_of, in_batches, is_local
from hfgen.providers.inspection import Inspected
from hfgen.providers.inspector import inspect, token_count
from hfgen.servers.detect import detect, parse_api_base
from hfgen.transport.session import Session

_AT_FAULT: Final = (UsageError, PromptError, BadRequest)  # the request, and not the route
_NOTHING_MORE: Final = About()
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

    def answer(
        self, model: str, asked: Mapping[str, Any], token: str | None = None, about: About = _NOTHING_MORE
    ) -> Events:
        """The events that answer one request.

        Args:
            model: As the caller names it, "" for the gateway's own choice.
            asked: Arguments of `create_async_generator`.
            token: The caller's own Hugging Face token, where callers bring one.
            about: What a span says of it beside what was asked.

        Raises:
            UsageError: An argument that is impossible.
        """
        routes = routes_of(model or self.settings.model, self.settings.names)
        answers = [self._answer(route, asked, token) for route in routes]
        events = answers[0] if len(answers) == 1 else _first_that_answers(answers)
        if is_foreign_path(model, self.settings.names):
            events = self._if_listed(model, events, token)
        return in_span(events, model or self.settings.model, asked, next(iter(self.settings.api_base), ""), about)

    async def name_of(self, model: str | None, token: str | None = None) -> str:
        """What an answer calls its model: as the caller named it, else the one that answers a request without a name.

        It is "" where the server behind says of none, or nothing at all: then the answer says why.
        """
        settings = self.settings
        if named := model or settings.model:
            return named
        key = token or settings.upstream_key
        try:
            if not settings.api_base:
                return LOCAL if is_local("", key or await find_token()) else DEFAULT_MODEL
            facts = await detect(self.session, parse_api_base(settings.api_base[0]), key)
        except HfgenError:
            return ""
        return next(iter(facts.models), "")

    async def inspect(self, model: str, asked: Mapping[str, Any], token: str | None = None) -> Inspected:
        """The exact prompt that the first route's model gets, or the next one's where that is dead; as for `answer`.

        Raises:
            HfgenError: It cannot be known.
        """
        settings = self.settings
        if is_foreign_path(model, settings.names):
            await self._check_listed(model, token)
        routes = routes_of(model or settings.model, settings.names)
        ways = [
            (route, base)
            for route in routes
            for base in ((route.api_base,) if route.api_base else settings.api_base or ("",))
        ]
        for route, base in ways[:-1]:
            try:
                return await self._inspect(route, base, asked, token)
            except _AT_FAULT:
                raise
            except HfgenError as error:
                _log.warning("the next route shows the prompt: %s", error.message)
        return await self._inspect(*ways[-1], asked, token)

    async def _inspect(self, route: Route, base: str, asked: Mapping[str, Any], token: str | None) -> Inspected:
        name = HuggingFaceInference.get_model(route.model) if route.model else ""
        form: Options = {"tools": asked.get("tools"), "chat_template_kwargs": asked.get("chat_template_kwargs")}
        sampling, nothing = {"max_tokens": asked["max_tokens"]}, (None, None, None)
        request = generation(
            name, asked["messages"], None, asked.get("action"), sampling, nothing, None, Limits(), form
        )
        return await inspect(request, self.session, api_base=base, api_key=token or self.settings.upstream_key)

    async def _if_listed(self, model: str, events: Events, token: str | None) -> Events:
        async with aclosing(events):
            await self._check_listed(model, token)
            async for batch in events:
                yield batch

    async def _check_listed(self, model: str, token: str | None) -> None:
        """A path is taken only as a server behind lists it (llama.cpp does): no caller has files here looked for."""
        for base in self.settings.api_base:
            facts = await detect(self.session, parse_api_base(base), token or self.settings.upstream_key)
            if model in facts.models:
                return
        raise ModelNotSupportedError(f"the model {model[:200]!r} is not served here")

    async def count(self, seen: Inspected) -> int | None:
        """The tokens of a prompt, None where nobody here can count them."""
        return await token_count(seen, self.session)

    def _answer(self, route: Route, asked: Mapping[str, Any], token: str | None) -> Events:
        settings = self.settings
        bases = (route.api_base,) if route.api_base else settings.api_base
        request = generation_of(route.model, asked, settings.patience)
        return in_batches(request, self.session, bases, token or settings.upstream_key)


async def _first_that_answers(answers: list[Events]) -> Events:
    """The answer of the first route that begins one: before the first byte the next may take over, after it none.

    The routes may be different models, so what has begun is only ever healed by its own route.
    """
    for place, events in enumerate(answers):
        begun = False
        try:
            async with aclosing(events):
                async for batch in events:
                    begun = begun or not all(isinstance(event, Progress) for event in batch)
                    yield batch
        except _AT_FAULT:
            raise
        except HfgenError as error:
            if begun or place == len(answers) - 1:
                raise
            _log.warning("the next route takes over: %s", error.message)
        else:
            return
