"""A chat template, rendered byte for byte as transformers 5.23 renders it, and within bounds."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from jinja2 import Template, TemplateError

from hfgen.errors import HfgenError, TemplateBroken
from hfgen.prompts.allowance import Allowance, allowed, too_costly
from hfgen.prompts.continuation import cut, field_of, mark
from hfgen.prompts.conversation import conversation, copied, dicts
from hfgen.prompts.isolation import RENDERER
from hfgen.prompts.sandbox import BoundedEnvironment

_LARGEST_SOURCE: Final = 512 * 1024  # the largest real one has 19 kB
_CACHED: Final = 128


class ChatTemplate:
    """One chat template with the special tokens of its tokenizer.

    Args:
        source: The template, as `tokenizer_config.json` or `chat_template.jinja` holds it.
        special_tokens: By transformers' names (`bos_token`, …); one that is None is undefined in the template.
        isolate: Compile and render in a worker process with hard limits of time and memory, which all isolated
            templates share. It takes longer (a hop between processes, and its start once), and values pass as JSON.

    Raises:
        TemplateBroken: The source does not parse.
        TemplateTooCostly: It is too large, or compiling it takes too long.
    """

    def __init__(self, source: str, special_tokens: Mapping[str, str | None], *, isolate: bool = False) -> None:
        self.source = source
        self.special_tokens = {name: token for name, token in special_tokens.items() if token is not None}
        if isolate:
            RENDERER.render(source, self.special_tokens, None)
        self._template = None if isolate else _compiled(source)

    def render(
        self,
        messages: Iterable[object],
        *,
        tools: Iterable[object] | None = None,
        documents: Iterable[object] | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool | str = False,
        now: datetime | None = None,
        **template_kwargs: Any,
    ) -> str:
        """The prompt, as `apply_chat_template(tokenize=False)` makes it; nothing given is changed.

        Args:
            messages: The conversation; dicts, dataclasses or pydantic models.
            tools: JSON schemas of functions.
            documents: For templates that ground their answers.
            add_generation_prompt: Open the assistant's turn at the end.
            continue_final_message: End inside the last message; a string names the field to continue.
            now: What `strftime_now` shows, in place of the clock.
            template_kwargs: Further variables of the template; they win over the special tokens.

        Raises:
            TemplateRefused: The template's own `raise_exception`.
            TemplateBroken: It names something undefined or fails while it runs.
            TemplateTooCostly: It hit a bound.
            ContinuationError: The last message cannot be continued.
            UsageError: The arguments are not of the form above.
        """
        if self._template is None:
            asked = {
                "messages": copied("messages", list(messages)),
                "tools": dicts("tools", tools),
                "documents": dicts("documents", documents),
                "add_generation_prompt": add_generation_prompt,
                "continue_final_message": continue_final_message,
                "now": now and now.isoformat(),
                "template_kwargs": copied("template_kwargs", template_kwargs),
            }
            return RENDERER.render(self.source, self.special_tokens, asked)
        field = field_of(continue_final_message, add_generation_prompt=add_generation_prompt)
        chat = conversation(messages)
        text = mark(chat, field, self.source) if field else ""
        variables = {
            **self.special_tokens,
            **copied("template_kwargs", template_kwargs),
            "messages": chat,
            "tools": dicts("tools", tools),
            "documents": dicts("documents", documents),
            "add_generation_prompt": add_generation_prompt,
        }
        rendered = _run(self._template, variables, now)
        return cut(rendered, text) if field else rendered


def _run(template: Template, variables: dict[str, Any], now: datetime | None) -> str:
    with allowed(Allowance(now, variables)):
        try:
            return "".join(template.root_render_func(template.new_context(variables)))
        except Exception as error:
            raise _translated(error) from error


@lru_cache(maxsize=_CACHED)
def _compiled(source: str) -> Template:
    if len(source) > _LARGEST_SOURCE:
        raise too_costly(f"its source has {len(source)} characters, more than {_LARGEST_SOURCE}")
    # Constants are folded while compiling, so the bounds hold here too.
    with allowed(Allowance()):
        try:
            return _environment().from_string(source)
        except Exception as error:
            raise _translated(error) from error


@lru_cache(maxsize=1)
def _environment() -> BoundedEnvironment:
    return BoundedEnvironment()


def _translated(error: Exception) -> HfgenError:
    if isinstance(error, HfgenError):
        return error
    if isinstance(error, (RecursionError, MemoryError)):
        return too_costly("it nests too deep" if isinstance(error, RecursionError) else "it takes too much memory")
    kind = "" if isinstance(error, TemplateError) else f"{type(error).__name__}: "
    line = getattr(error, "lineno", None)
    return TemplateBroken(f"the chat template is broken{f' in line {line}' if line else ''}: {kind}{error}")
