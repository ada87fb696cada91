"""A prompt as a person looks at it: its tokens in colour, and an account of where it comes from."""

import hashlib
from collections.abc import Iterator

import click

from hfgen.cli.terminal import harmless
from hfgen.facts import ModelFacts
from hfgen.generation import Generation
from hfgen.prompts.bos import CHATML_START
from hfgen.prompts.inputs import harmless_request, pieces_of, source_of, template_name


def view(prompt: str, asked: Generation, facts: ModelFacts, *, color: bool) -> str:
    """The prompt for a terminal: controls made visible, special tokens in colour where that is asked for."""
    if not color:
        return harmless(prompt)
    return "".join(
        click.style(harmless(piece), fg="cyan", bold=True) if is_token else harmless(piece)
        for piece, is_token in pieces_of(prompt, asked, facts)
    )


def account(asked: Generation, facts: ModelFacts, prompt: str, *, rendered_by: str = "") -> Iterator[str]:
    """Where the prompt comes from and what was done to it, line by line."""
    source = source_of(asked, facts)
    if source:
        name = template_name(asked, facts)
        others = ", ".join(other for other in facts.templates if other != name)
        yield f"template: {facts.template_source}"
        yield f"  name: {name or 'given'}{f' (others: {others})' if others else ''}"
        yield f"  sha256: {hashlib.sha256(source.encode('utf-8', 'surrogatepass')).hexdigest()}"
    elif rendered_by:
        yield f"template: not shown; the prompt is as {rendered_by} renders it, without the BOS that the server adds"
    else:
        yield f"template: none in {facts.template_source}: the layout of the family {facts.family or 'unknown'!r}"
    tokens = ", ".join(f"{name}={token!r}" for name, token in facts.special_tokens.items())
    yield f"tokens: {harmless(tokens) or 'none'}"
    yield f"bos: {_bos(facts, prompt)}"
    changed = ", ".join(_changed(asked, harmless_request(asked, facts)))
    if changed:
        yield f"neutralised: special tokens spelt in {changed} (--special-tokens-in-content keep leaves them)"
    dropped = ", ".join(_dropped(asked))
    if dropped:
        yield f"dropped: {dropped}, for they are null"


def _bos(facts: ModelFacts, prompt: str) -> str:
    bos = facts.special_tokens.get("bos_token", "")
    if not bos:
        return "the model has none"
    if facts.adds_bos is False or bos == CHATML_START:
        return f"the tokenizer adds none, so every route gets the prompt as it is printed ({bos!r})"
    knows = "adds" if facts.adds_bos else "may add"
    if prompt.startswith(bos):
        return f"{bos!r} leads; to TGI, llama.cpp and others whose tokenizer adds it, the prompt goes without it"
    return f"the prompt has none, and the tokenizer {knows} {bos!r} on routes that cannot turn it off (TGI, llama.cpp)"


def _changed(asked: Generation, sent: Generation) -> Iterator[str]:
    pairs = zip(asked.messages, sent.messages, strict=True)
    yield from (f"messages[{index}]" for index, (before, after) in enumerate(pairs) if before != after)
    if asked.template_kwargs != sent.template_kwargs:
        yield "documents"


def _dropped(asked: Generation) -> Iterator[str]:
    """Keys that the template does not see (transformers 5.23 leaves out what is None)."""
    for index, message in enumerate(asked.messages):
        for key, value in message.items():
            if value is None:
                yield f"messages[{index}].{key}"
