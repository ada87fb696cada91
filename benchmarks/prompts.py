"""What the bounds cost: one prompt by bare jinja2, by transformers (where it is installed) and by hfgen, side by side.

`python benchmarks/prompts.py [TEMPLATE]`; the default is Llama 3's own layout. CPU time, medians of interleaved rounds.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hfgen.prompts import ChatTemplate

LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    "+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
TOKENS = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
ROUNDS = 41


def conversation(turns: int) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[turn % 2], "content": f"This is turn {turn}, in a sentence."} for turn in range(turns)]


def bare(source: str) -> Callable[[list[dict[str, str]]], str]:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    template = environment.from_string(source)
    return lambda messages: template.render(messages=messages, add_generation_prompt=True, **TOKENS)


def bounded(source: str) -> Callable[[list[dict[str, str]]], str]:
    template = ChatTemplate(source, TOKENS)
    return lambda messages: template.render(messages, add_generation_prompt=True)


def of_transformers(source: str) -> Callable[[list[dict[str, str]]], str]:
    tokenizers, transformers = import_module("tokenizers"), import_module("transformers")
    tokenizer: Any = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(tokenizers.models.BPE()), chat_template=source, **TOKENS
    )
    return lambda messages: tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def seconds(render: Callable[[list[dict[str, str]]], str], messages: list[dict[str, str]]) -> float:
    """CPU seconds for one rendering, over enough of them to be measured."""
    times = max(1, 400 // len(messages))
    start = process_time()
    for _ in range(times):
        render(messages)
    return (process_time() - start) / times


def main(source: str) -> None:
    renderers = {"bare jinja2": bare(source), "hfgen": bounded(source)}
    try:
        renderers["transformers"] = of_transformers(source)
    except ImportError:
        print("transformers is not installed here: two columns only")
    for turns in (2, 200):
        messages = conversation(turns)
        assert len({render(messages) for render in renderers.values()}) == 1
        rounds = [{name: seconds(render, messages) for name, render in renderers.items()} for _ in range(ROUNDS)]
        times = {name: median(one[name] for one in rounds) for name in renderers}
        for name, taken in times.items():
            print(f"{turns:4} messages  {name:13} {taken * 1e6:9.1f} µs  {taken / times['bare jinja2']:5.2f}x")


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_text("utf-8") if len(sys.argv) > 1 else LLAMA3)
