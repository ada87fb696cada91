"""From the flags of the command line to a call of the library."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from hfgen.cli.options import options
from hfgen.cli.pictures import attached
from hfgen.events import Event
from hfgen.messages import Message, Part
from hfgen.transport.session import Session

_ARGUMENTS = ("api_base", "api_key", "model_file", "provider", "max_tokens", "temperature", "seed", "timeout")


@dataclass(frozen=True, slots=True)
class Asking:
    """Who is asked, and how, whatever the question is."""

    model: str | None
    arguments: Mapping[str, Any]
    """Of `create_async_generator`, in all calls alike."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Asking":
        """Read the flags; `-o` wins over a flag of its own.

        Raises:
            UsageError: An option does not exist, or its value is of another type.
        """
        arguments = {name: given[name] for name in _ARGUMENTS}
        arguments["stream"] = not given["no_stream"]
        return cls(given["model"], arguments | options(given["pairs"]))

    def ask(self, messages: list[Message], session: Session, **more: Any) -> AsyncGenerator[Event, None]:
        """The answer's events.

        Raises:
            UsageError: At once, where the library refuses an argument.
        """
        from hfgen import HuggingFaceInference  # noqa: PLC0415 - brings the network along

        return HuggingFaceInference.create_async_generator(
            self.model, messages, session=session, **{**self.arguments, **more}
        )

    async def who(self) -> str:
        """Who answers, for a person to read.

        Raises:
            ModelNotSupportedError: This machine does, and the engine is not installed or cannot run.
        """
        from hfgen.hub.client import find_token  # noqa: PLC0415 - brings the network along
        from hfgen.providers.huggingface import HuggingFaceInference, is_local  # noqa: PLC0415
        from hfgen.providers.local import check_engine  # noqa: PLC0415

        model = self.model or ""
        if self.arguments["api_base"]:
            return model or "the server's model"
        token = self.arguments["api_key"] or await find_token()
        if not is_local(model, token, self.arguments["model_file"]):
            return model or HuggingFaceInference.default_model
        await asyncio.to_thread(check_engine)
        return self.arguments["model_file"] or "the local model"


def opening(given: Mapping[str, Any], text: str) -> list[Message]:
    """The conversation that a one-shot question is: system, user with its pictures, the assistant's first words.

    Raises:
        UsageError: A picture is none, or is not there.
    """
    messages: list[Message] = []
    if given["system"]:
        messages.append({"role": "system", "content": given["system"]})
    if given["attach"]:
        parts: list[Part] = [{"type": "text", "text": text}] if text else []
        parts.extend(Part(type="image_url", image_url=attached(place)) for place in given["attach"])
        messages.append({"role": "user", "content": parts})
    elif text:
        messages.append({"role": "user", "content": text})
    if given["continue_text"] is not None:
        messages.append({"role": "assistant", "content": given["continue_text"]})
    return messages
