"""The BOS is written once: by the prompt, or by a server whose tokenizer puts it in front of every raw text.

A rendered chat is meant to be tokenized as it stands (transformers: `add_special_tokens=False`), so a server that adds
a BOS gets the prompt without its own. Look at the text and not at the template: many templates spell the BOS out.
"""

from typing import Final

CHATML_START: Final = "<|im_start|>"
"""The BOS of ChatML models such as SmolLM2: it opens every turn, and their tokenizers add none in front of a text."""


def written_once(prompt: str, bos: str, adds: bool | None) -> str:
    """The prompt for a server that puts the BOS in front by itself, where its tokenizer does: one leading BOS goes.

    Args:
        prompt: The rendered prompt.
        bos: The BOS, or "".
        adds: Whether the server's tokenizer adds it; None where nobody knows, and then it is taken to.
    """
    if not bos or adds is False or (adds is None and bos == CHATML_START):
        return prompt
    return prompt.removeprefix(bos)


def added_unasked(prompt: str, bos: str, adds: bool | None) -> bool:
    """Whether the server puts a BOS in front of a prompt whose template has none."""
    return bool(bos) and adds is True and not prompt.startswith(bos)
