"""Exact prompts: what a model was trained on, byte for byte."""

from typing import TYPE_CHECKING, Any

from hfgen.prompts.families import (
    format_prompt,
    format_prompt_custom,
    format_prompt_deepseek,
    format_prompt_llama,
    format_prompt_mistral,
    format_prompt_qwen,
    format_prompt_qwen2,
)
from hfgen.prompts.inputs import get_inputs

if TYPE_CHECKING:
    from hfgen.prompts.chat_template import ChatTemplate

__all__ = [
    "ChatTemplate",
    "format_prompt",
    "format_prompt_custom",
    "format_prompt_deepseek",
    "format_prompt_llama",
    "format_prompt_mistral",
    "format_prompt_qwen",
    "format_prompt_qwen2",
    "get_inputs",
]


def __getattr__(name: str) -> Any:
    """Load `ChatTemplate`, and jinja2 with it, when it is first asked for."""
    if name == "ChatTemplate":
        from hfgen.prompts.chat_template import ChatTemplate  # noqa: PLC0415

        return ChatTemplate
    raise AttributeError(f"module 'hfgen.prompts' has no attribute {name!r}")
