"""The waist: what every front calls, and every provider is."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, ClassVar

from typing_extensions import Unpack

from hfgen.events import Event
from hfgen.messages import Messages
from hfgen.options import Options
from hfgen.transport.session import Session


class AsyncGeneratorProvider(ABC):
    """Answers come as an async generator of events that ends with one `FinishReason`, or raises."""

    url: ClassVar[str]
    parent: ClassVar[str]
    working: ClassVar[bool]

    @classmethod
    @abstractmethod
    def create_async_generator(
        cls,
        model: str | None,
        messages: Messages,
        stream: bool = True,
        proxy: str | None = None,
        timeout: float | None = 600,
        api_base: str | Sequence[str] | None = None,
        api_key: str | None = None,
        max_tokens: int | None = 1024,
        temperature: float | None = None,
        prompt: str | None = None,
        action: str | None = None,
        extra_data: Mapping[str, Any] | None = None,
        seed: int | None = None,
        aspect_ratio: str | None = None,
        width: int | None = None,
        height: int | None = None,
        *,
        session: Session | None = None,
        model_file: str | None = None,
        **options: Unpack[Options],
    ) -> AsyncGenerator[Event, None]:
        """Answer `messages`; see the provider for the arguments."""


class ProviderModelMixin:
    """Names of models, and what they lead to."""

    default_model: ClassVar[str]
    model_aliases: ClassVar[Mapping[str, str]]

    @classmethod
    def get_models(cls) -> list[str]:
        """The names of the models that can be asked for."""
        return [cls.default_model]

    @classmethod
    def get_model(cls, model: str | None) -> str:
        """The model that a name leads to: an alias resolved, an unknown name as it is, the default for none."""
        name = model or cls.default_model
        return cls.model_aliases.get(name, name)
