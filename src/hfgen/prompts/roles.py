"""The role `developer`: OpenAI's newer name for the system, which few models were trained on."""

from typing import Final

from hfgen.messages import Messages

_NEWER: Final = "developer"


def with_system(messages: Messages) -> Messages:
    """The conversation with `system` in its place; the same messages where there is none."""
    if not any(message["role"] == _NEWER for message in messages):
        return messages
    return tuple({**message, "role": "system"} if message["role"] == _NEWER else message for message in messages)


def knows_developer(template: str) -> bool:
    """Whether a chat template tells a developer from the system: then it gets one."""
    return _NEWER in template
