"""From a model's facts to the one prompt it gets: its own template, else its family's layout, else plain text."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from hfgen.facts import ModelFacts
from hfgen.generation import Generation
from hfgen.messages import Messages
from hfgen.prompts import families
from hfgen.prompts.forgery import guarded, pattern_of

Formatter = Callable[[Messages, bool], str]

# Shows each marker of a family's layout.
_SAMPLE: Final[Messages] = (
    {"role": "system", "content": "S"},
    {"role": "user", "content": "U"},
    {"role": "assistant", "content": "A"},
    {"role": "user", "content": "U"},
)

# By `config.model_type`: families whose layout is one, whoever tuned the model.
_BY_FAMILY: Final[Mapping[str, Formatter]] = {
    "gpt2": families.format_prompt,
    "gpt_neo": families.format_prompt,
    "gpt_neox": families.format_prompt,
    "qwen": families.format_prompt_qwen2,
    "qwen2": families.format_prompt_qwen,
    "qwen2_moe": families.format_prompt_qwen2,
    "deepseek_v2": families.format_prompt_deepseek,
    "deepseek_v3": families.format_prompt_deepseek,
}
# By the token that ends a turn: it shows the layout that a fine-tune was made with.
_BY_END: Final[Mapping[str, Formatter]] = {
    "<|im_end|>": families.format_prompt_qwen2,
    "<|eot_id|>": families.format_prompt_llama,
    "<｜end▁of▁sentence｜>": families.format_prompt_deepseek,
}


def get_inputs(
    messages: Messages, model_data: Mapping[str, Any] | ModelFacts, model_type: str, do_continue: bool = False
) -> str:
    """The prompt of a conversation, by what the Hub's record says of the model.

    Args:
        messages: The conversation.
        model_data: The Hub's record, or its facts.
        model_type: The family (`config.model_type`); the record's own where it is "".
        do_continue: Leave the last message, the assistant's, open.

    Raises:
        PromptError: The model's template refuses the conversation.
        UsageError: The last message is not the assistant's and is to be continued.
    """
    facts = model_data if isinstance(model_data, ModelFacts) else ModelFacts.from_hub(model_data)
    family = model_type or facts.family
    if facts.templates:
        return _from_template(Generation(messages=messages, continues=do_continue), facts)
    return _formatter(family, facts)(messages, do_continue)


def render(generation: Generation, facts: ModelFacts) -> str:
    """The raw prompt of a request: the caller's own, else the rendered conversation.

    What users and tools wrote cannot spell special tokens, unless `special_tokens_in_content` says "keep".

    Raises:
        PromptError: The model's template refuses the conversation.
    """
    if generation.prompt is not None:
        return generation.prompt
    mode = generation.special_tokens or "neutralise"
    if facts.templates:
        pattern = pattern_of(facts.special_tokens.values(), _source(generation, facts))
        messages = guarded(generation.messages, pattern, mode)
        return _from_template(replace(generation, messages=tuple(messages)), facts)
    formatter = _formatter(facts.family, facts)
    pattern = pattern_of(facts.special_tokens.values(), formatter(_SAMPLE, False))
    return formatter(guarded(generation.messages, pattern, mode), generation.continues)


def spells_special_token(text: str, facts: ModelFacts) -> bool:
    """Whether a text spells a special token of the model; False where neither its tokens nor its template is known."""
    if not facts.templates and not facts.special_tokens:
        return False
    layout = "".join(facts.templates.values())
    return pattern_of(facts.special_tokens.values(), layout).search(text) is not None


def without_bos(prompt: str, bos: str) -> str:
    """The prompt for a server that puts the BOS in front itself: one leading BOS goes, any other stays."""
    return prompt.removeprefix(bos) if bos else prompt


def _from_template(generation: Generation, facts: ModelFacts) -> str:
    from hfgen.prompts.chat_template import ChatTemplate  # noqa: PLC0415 - brings jinja2 along

    return ChatTemplate(_source(generation, facts), facts.special_tokens).render(
        generation.messages,
        tools=generation.tools or None,
        add_generation_prompt=not generation.continues,
        continue_final_message=generation.continues,
        **generation.template_kwargs,
    )


def _source(generation: Generation, facts: ModelFacts) -> str:
    named = "tool_use" if generation.tools and "tool_use" in facts.templates else "default"
    return facts.templates.get(named) or next(iter(facts.templates.values()))


def _formatter(family: str, facts: ModelFacts) -> Formatter:
    end = facts.special_tokens.get("eos_token", "")
    if family == "mistral" and facts.author == "mistralai":
        return families.format_prompt_mistral
    if end in _BY_END and family not in _BY_FAMILY:
        return _BY_END[end]
    if family in _BY_FAMILY:
        return _BY_FAMILY[family]
    if family == "llama" and "llama-3" in facts.id.lower():
        return families.format_prompt_llama
    return families.format_prompt
