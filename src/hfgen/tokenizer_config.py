"""What `tokenizer_config.json` says, wherever it is kept: the Hub's record holds a part of it, a model's folder all.

Rules: transformers 5.23, tokenization_utils_base.py (TEMPLATES 1.1 and 1.3 in the authors' notes measured them).
"""

from collections.abc import Mapping
from typing import Any, Final, cast

# The tokens that transformers hands to a chat template (SpecialTokensMixin.SPECIAL_TOKENS_ATTRIBUTES, v5).
TOKEN_NAMES: Final = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def special_tokens_of(config: Mapping[str, Any]) -> dict[str, str]:
    """The special tokens by transformers' names; one that is not set is absent.

    `extra_special_tokens`, where it is a dict, names those of the model alone (`image_token`, …).
    """
    extra = config.get("extra_special_tokens")
    named = cast("dict[str, object]", extra) if isinstance(extra, dict) else {}
    known: dict[str, object] = {**{name: config.get(name) for name in TOKEN_NAMES}, **named}
    texts = {name: token_text(value) for name, value in known.items()}
    return {name: text for name, text in texts.items() if text}


def token_text(value: object) -> str:
    """A token's text: a string, or an `AddedToken` as a dict; "" for anything else."""
    if isinstance(value, dict):
        value = cast("dict[str, object]", value).get("content")
    return value if isinstance(value, str) else ""


def templates_of(source: object) -> dict[str, str]:
    """The chat templates by name, out of one string or a list of `{"name": …, "template": …}`."""
    if isinstance(source, str):
        return {"default": source} if source else {}
    entries = cast("list[object]", source) if isinstance(source, list) else []
    pairs = [cast("dict[str, object]", entry) for entry in entries if isinstance(entry, dict)]
    named = {text_of_key(pair, "name"): text_of_key(pair, "template") for pair in pairs}
    return {name: text for name, text in named.items() if name and text}


def text_of_key(config: Mapping[str, object], key: str) -> str:
    """A string under a key, "" where there is none."""
    value = config.get(key)
    return value if isinstance(value, str) else ""
