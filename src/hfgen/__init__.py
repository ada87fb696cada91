"""Stream text and images from any Hugging Face model through one async generator.

The public names are loaded when they are first used: `import hfgen` itself costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from hfgen.version import __version__

if TYPE_CHECKING:
    from hfgen.errors import (
        BadPicture as BadPicture,
        BadRequest as BadRequest,
        ConnectionFailed as ConnectionFailed,
        ContentFiltered as ContentFiltered,
        ContinuationError as ContinuationError,
        EndpointPaused as EndpointPaused,
        GenerationError as GenerationError,
        HfgenError as HfgenError,
        MissingAuth as MissingAuth,
        ModelLoading as ModelLoading,
        ModelNotSupportedError as ModelNotSupportedError,
        OutputFailed as OutputFailed,
        PaymentRequired as PaymentRequired,
        PromptError as PromptError,
        RateLimited as RateLimited,
        ResponseError as ResponseError,
        ServerError as ServerError,
        SessionClosed as SessionClosed,
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

_HOME_OF: Final = {
    "AsyncGeneratorProvider": "hfgen.providers.base",
    "BadPicture": "hfgen.errors",
    "BadRequest": "hfgen.errors",
    "ConnectionFailed": "hfgen.errors",
    "ContentFiltered": "hfgen.errors",
    "ContinuationError": "hfgen.errors",
    "EndpointPaused": "hfgen.errors",
    "Event": "hfgen.events",
    "FinishReason": "hfgen.events",
    "GenerationError": "hfgen.errors",
    "HfgenError": "hfgen.errors",
    "HuggingFaceInference": "hfgen.providers.huggingface",
    "ImageResponse": "hfgen.events",
    "Logprobs": "hfgen.events",
    "Media": "hfgen.media",
    "Message": "hfgen.messages",
    "Messages": "hfgen.messages",
    "MissingAuth": "hfgen.errors",
    "ModelLoading": "hfgen.errors",
    "ModelNotSupportedError": "hfgen.errors",
    "OutputFailed": "hfgen.errors",
    "PaymentRequired": "hfgen.errors",
    "Progress": "hfgen.events",
    "PromptError": "hfgen.errors",
    "ProviderModelMixin": "hfgen.providers.base",
    "RateLimited": "hfgen.errors",
    "Reasoning": "hfgen.events",
    "ResponseError": "hfgen.errors",
    "Resumed": "hfgen.events",
    "ServerError": "hfgen.errors",
    "SessionClosed": "hfgen.errors",
    "Session": "hfgen.transport.session",
    "StreamError": "hfgen.errors",
    "TemplateBroken": "hfgen.errors",
    "TemplateRefused": "hfgen.errors",
    "TemplateTooCostly": "hfgen.errors",
    "TimedOut": "hfgen.errors",
    "TokenLogprob": "hfgen.events",
    "ToolCallDelta": "hfgen.events",
    "TruncatedStream": "hfgen.errors",
    "UnknownOption": "hfgen.errors",
    "Usage": "hfgen.events",
    "UsageError": "hfgen.errors",
}

__all__ = [
    "AsyncGeneratorProvider",
    "BadPicture",
    "BadRequest",
    "ConnectionFailed",
    "ContentFiltered",
    "ContinuationError",
    "EndpointPaused",
    "Event",
    "FinishReason",
    "GenerationError",
    "HfgenError",
    "HuggingFaceInference",
    "ImageResponse",
    "Logprobs",
    "Media",
    "Message",
    "Messages",
    "MissingAuth",
    "ModelLoading",
    "ModelNotSupportedError",
    "OutputFailed",
    "PaymentRequired",
    "Progress",
    "PromptError",
    "ProviderModelMixin",
    "RateLimited",
    "Reasoning",
    "ResponseError",
    "Resumed",
    "ServerError",
    "Session",
    "SessionClosed",
    "StreamError",
    "TemplateBroken",
    "TemplateRefused",
    "TemplateTooCostly",
    "TimedOut",
    "TokenLogprob",
    "ToolCallDelta",
    "TruncatedStream",
    "UnknownOption",
    "Usage",
    "UsageError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'hfgen' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
