"""Who answers a request: the caller's name for a model leads to one of hfgen's routes."""

from collections.abc import Mapping
from typing import Any

from hfgen.gateway.settings import Settings
from hfgen.gateway.telling import Events
from hfgen.providers.huggingface import HuggingFaceInference
from hfgen.transport.session import Session


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
        settings = self.settings
        return HuggingFaceInference.create_async_generator(
            model or settings.model or None,
            session=self.session,
            api_base=settings.api_base or None,
            api_key=token or settings.upstream_key,
            **asked,
        )
