"""Stream text and images from any Hugging Face model through one async generator.

The public names are loaded when they are first used: `import hfgen` itself costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hfgen.errors import (
        BadRequest as BadRequest,
        ConnectionFailed as ConnectionFailed,
        ContinuationError as ContinuationError,
        EndpointPaused as EndpointPaused,
        GenerationError as GenerationError,
        HfgenError as HfgenError,
        MissingAuth as MissingAuth,
        ModelLoading as ModelLoading,
        ModelNotSupportedError as ModelNotSupportedError,
        PaymentRequired as PaymentRequired,
        PromptError as PromptError,
        RateLimited as RateLimited,
        ResponseError as ResponseError,
        ServerError as ServerError,
        StreamError as StreamError,
        TemplateBroken as TemplateBroken,
        TemplateRefused as TemplateRefused,
        TemplateTooCostly as TemplateTooCostly,
        TimedOut as TimedOut,
        TruncatedStream as TruncatedStream,
        UnknownOption as UnknownOption,
        UsageError as UsageError,
    )
    from hfgen.events import (
        Event as Event,
        FinishReason as FinishReason,
        ImageResponse as ImageResponse,
        Logprobs as Logprobs,
        Progress as Progress,
        Reasoning as Reasoning,
        Resumed as Resumed,
        TokenLogprob as TokenLogprob,
        ToolCallDelta as ToolCallDelta,
        Usage as Usage,
    )
    from hfgen.media import Media as Media
    from hfgen.messages import Message as Message, Messages as Messages
    from hfgen.providers.base import (
        AsyncGeneratorProvider as AsyncGeneratorProvider,
        ProviderModelMixin as ProviderModelMixin,
    )
    from hfgen.providers.huggingface import HuggingFaceInference as HuggingFaceInference
    from hfgen.transport.session import Session as Session

__version__ = "0.1.0"

_HOMES: Final = {
    "hfgen.errors": (
        "BadRequest ConnectionFailed ContinuationError EndpointPaused GenerationError HfgenError MissingAuth "
        "ModelLoading ModelNotSupportedError PaymentRequired PromptError RateLimited ResponseError ServerError "
        "StreamError TemplateBroken TemplateRefused TemplateTooCostly TimedOut TruncatedStream UnknownOption UsageError"
    ),
    "hfgen.events": (
        "Event FinishReason ImageResponse Logprobs Progress Reasoning Resumed TokenLogprob ToolCallDelta Usage"
    ),
    "hfgen.media": "Media",
    "hfgen.messages": "Message Messages",
    "hfgen.providers.base": "AsyncGeneratorProvider ProviderModelMixin",
    "hfgen.providers.huggingface": "HuggingFaceInference",
    "hfgen.transport.session": "Session",
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = ["__version__", *_HOME_OF]  # noqa: PLE0604 - the table above is the list


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'hfgen' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
