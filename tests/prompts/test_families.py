"""The layouts of models without a template: no text lost, none invented, none cut into."""

from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given, strategies as st

from hfgen.errors import UsageError
from hfgen.messages import Message, Messages
from hfgen.prompts import (
    format_prompt,
    format_prompt_custom,
    format_prompt_deepseek,
    format_prompt_llama,
    format_prompt_mistral,
    format_prompt_qwen,
    format_prompt_qwen2,
)

Formatter = Callable[..., str]
ALL: list[Formatter] = [
    format_prompt,
    format_prompt_custom,
    format_prompt_deepseek,
    format_prompt_llama,
    format_prompt_mistral,
    format_prompt_qwen,
    format_prompt_qwen2,
]
TALK: Messages = [
    {"role": "system", "content": "S1"},
    {"role": "user", "content": "U1"},
    {"role": "assistant", "content": "A1"},
    {"role": "user", "content": "U2"},
]
ODD: dict[str, list[Message]] = {
    "two users": [{"role": "user", "content": "U1"}, {"role": "user", "content": "U2"}],
    "a tool": [
        {"role": "user", "content": "U1"},
        {"role": "assistant", "content": None},
        {"role": "tool", "content": "T1"},
    ],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "U1"}, {"type": "text", "text": "U2"}]}],
    "system alone": [{"role": "system", "content": "S1"}],
    "assistant first": [{"role": "assistant", "content": "A1"}, {"role": "user", "content": "U1"}],
    "system late": [{"role": "user", "content": "U1"}, {"role": "system", "content": "S1"}],
}
QWEN = "<|im_start|>system\nS1<|im_end|>\n<|im_start|>user\nU1<|im_end|>\n<|im_start|>assistant\nA1<|im_end|>\n"
EXPECTED: dict[Formatter, str] = {
    format_prompt: "S1\nUser: U1\nAssistant: A1\nUser: U2\nAssistant:",
    format_prompt_custom: (
        "<|system|>\nS1</s>\n<|user|>\nU1</s>\n<|assistant|>\nA1</s>\n<|user|>\nU2</s>\n<|assistant|>\n"
    ),
    format_prompt_deepseek: (
        "<｜begin▁of▁sentence｜>S1<｜User｜>U1<｜Assistant｜>A1<｜end▁of▁sentence｜><｜User｜>U2<｜Assistant｜>"
    ),
    format_prompt_llama: (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS1<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nU1<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nA1<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nU2<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    format_prompt_mistral: "<s> [INST] S1\n\nU1 [/INST] A1</s> [INST] U2 [/INST]",
    format_prompt_qwen: QWEN + "<|im_start|>user\nU2<|im_end|>\n<|im_start|>assistant\n",
    format_prompt_qwen2: QWEN + "<|im_start|>user\nU2<|im_end|>\n<|im_start|>assistant\n",
}


@pytest.mark.parametrize("formatter", ALL)
def test_a_conversation_is_laid_out_exactly(formatter: Formatter) -> None:
    assert formatter(TALK) == EXPECTED[formatter]


@pytest.mark.parametrize("formatter", ALL)
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_conversation_keeps_every_text_in_order(formatter: Formatter, odd: str) -> None:
    made = formatter(ODD[odd])
    texts = [text for text in ("U1", "U2", "A1", "T1", "S1") if text in str(ODD[odd])]
    assert all(made.count(text) == 1 for text in texts)
    assert "None" not in made
    assert "'type'" not in made


@pytest.mark.parametrize("formatter", ALL)
def test_nothing_to_say_is_a_usage_error(formatter: Formatter) -> None:
    with pytest.raises(UsageError):
        formatter([])


@pytest.mark.parametrize("formatter", ALL)
def test_the_users_own_words_are_never_continued(formatter: Formatter) -> None:
    with pytest.raises(UsageError):
        formatter(TALK, do_continue=True)


@pytest.mark.parametrize("formatter", ALL)
@given(text=st.text(alphabet=st.characters(codec="utf-8"), min_size=1))
def test_continuing_ends_with_the_text_itself_and_is_a_prefix(formatter: Formatter, text: str) -> None:
    talk = cast("list[Message]", [*TALK, {"role": "assistant", "content": text}])
    continued = formatter(talk, do_continue=True)
    kept = text.strip() if formatter is format_prompt_llama else text
    assert continued.endswith(kept)
    assert "S1" in continued
    if "</think>" not in text:
        assert formatter([*talk, {"role": "user", "content": "U3"}]).startswith(continued)


def test_qwen_brings_its_system_prompt_where_there_is_none() -> None:
    ask: Messages = [{"role": "user", "content": "Hi"}]
    assert "You are Qwen, created by Alibaba Cloud." in format_prompt_qwen(ask)
    assert format_prompt_qwen2(ask).startswith("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n")


def test_plain_text_for_one_question_is_the_question() -> None:
    assert format_prompt([{"role": "user", "content": "Once upon a"}]) == "Once upon a"


def test_the_end_token_can_be_any() -> None:
    assert format_prompt_custom([{"role": "user", "content": "Hi"}], "<eos>") == "<|user|>\nHi<eos>\n<|assistant|>\n"
