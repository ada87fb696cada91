"""A model's own text as numbers of tokens: sent back so, what spells a special token does not become one."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from hfgen.facts import ModelFacts
from hfgen.prompts.inputs import spells_special_token
from hfgen.servers.tokenizer import plain_tokens
from hfgen.transport.session import Session
from hfgen.wire import Target

Verbatim: TypeAlias = Callable[[str], Awaitable[tuple[int, ...] | None]]
"""The numbers of the tokens that are a text to the letter, none of them special; None where there are none such."""


def verbatim_at(root: Target, facts: ModelFacts, session: Session) -> Verbatim | None:
    """How a text is put into numbers at a server; None where it cannot be.

    llama.cpp alone: vLLM takes numbers too, but its /tokenize reads special tokens whatever it is told; TGI takes none.
    """
    return partial(_numbers, root, facts, session) if root.kind == "llamacpp" else None


async def _numbers(root: Target, facts: ModelFacts, session: Session, text: str) -> tuple[int, ...] | None:
    tokens = await plain_tokens(session, root, text)
    if tokens is None or b"".join(piece for _, piece in tokens) != text.encode():
        return None  # some vocabularies put a space in front of every text
    if any(spells_special_token(piece.decode("utf-8", "replace"), facts) for _, piece in tokens):
        return None  # an old build, which reads them whatever it is told
    return tuple(number for number, _ in tokens)
