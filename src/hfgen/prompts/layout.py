"""The layout of a model without a template: by its family, who made it, and the token that ends its turns."""

from collections.abc import Mapping
from typing import Final

from hfgen.facts import ModelFacts
from hfgen.messages import Messages
from hfgen.prompts import families
from hfgen.prompts.families import Formatter

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


def _zephyr(messages: Messages, do_continue: bool) -> str:
    return families.format_prompt_custom(messages, do_continue=do_continue)


# Whose models end with a token that says nothing of their layout.
_BY_AUTHOR: Final[Mapping[tuple[str, str], Formatter]] = {
    ("mistralai", "mistral"): families.format_prompt_mistral,
    ("mistralai", "mixtral"): families.format_prompt_mistral,
    ("HuggingFaceH4", "mistral"): _zephyr,
    ("HuggingFaceH4", "llama"): _zephyr,
}
_CHATML: Final = (families.format_prompt_qwen, families.format_prompt_qwen2)
_CHATML_END: Final = "<|im_end|>"
# By the token that ends a turn: it shows the layout that a fine-tune was made with.
_BY_END: Final[Mapping[str, Formatter]] = {
    _CHATML_END: families.format_prompt_qwen2,
    "<|eot_id|>": families.format_prompt_llama,
    "<｜end▁of▁sentence｜>": families.format_prompt_deepseek,
}


def formatter_of(family: str, facts: ModelFacts) -> Formatter:
    """Its maker's layout where the end token tells none, else the end token's, else the family's, else plain text."""
    end = facts.special_tokens.get("eos_token", "")
    by_author, by_end, by_family = _BY_AUTHOR.get((facts.author, family)), _BY_END.get(end), _BY_FAMILY.get(family)
    if by_author and end in ("", "</s>"):  # not a fine-tune with tokens of its own
        return by_author
    if by_end and not (end == _CHATML_END and by_family in _CHATML):
        return by_end
    if by_family:
        return by_family
    name = facts.id.lower()
    if family == "llama" and "llama-3" in name and "instruct" in name:  # its record says <|end_of_text|>
        return families.format_prompt_llama
    return families.format_prompt
