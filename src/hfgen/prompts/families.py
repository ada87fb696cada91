"""Prompts of the families whose models come without a template, each byte for byte as the family's own template.

Every formatter takes the conversation and `do_continue`: the last message is the assistant's and is left open. Contents
may be lists of parts (their text counts) or None (nothing). Sources: the chat templates of the models that are named.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from hfgen.errors import UsageError
from hfgen.messages import Messages, check_messages, text_of

Formatter: TypeAlias = Callable[[Messages, bool], str]

_QWEN_SYSTEM: Final = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
_QWEN2_SYSTEM: Final = "You are a helpful assistant."
_SYSTEMS: Final = ("system", "developer")


class Turn(NamedTuple):
    """A role and its text."""

    role: str
    text: str


def format_prompt_qwen(messages: Messages, do_continue: bool = False) -> str:
    """ChatML as Qwen2.5 writes it, with its system prompt where the conversation has none (Qwen2.5-7B-Instruct)."""
    return _chatml(messages, do_continue, _QWEN_SYSTEM)


def format_prompt_qwen2(messages: Messages, do_continue: bool = False) -> str:
    """ChatML as Qwen2 writes it, with its system prompt where the conversation has none (Qwen2-7B-Instruct)."""
    return _chatml(messages, do_continue, _QWEN2_SYSTEM)


def format_prompt_llama(messages: Messages, do_continue: bool = False) -> str:
    """Llama 3 (Meta-Llama-3-8B-Instruct): contents without outer white space, `<|begin_of_text|>` once, in front."""
    turns = _turns(messages, do_continue)

    def write(turn: Turn) -> str:
        role = "ipython" if turn.role == "tool" else turn.role
        return f"<|start_header_id|>{role}<|end_header_id|>\n\n{turn.text.strip()}"

    body = "<|eot_id|>".join(map(write, turns))
    if do_continue:
        return f"<|begin_of_text|>{body.rstrip()}"
    return f"<|begin_of_text|>{body}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"


def format_prompt_mistral(messages: Messages, do_continue: bool = False) -> str:
    """Mistral's first layout (Mistral-7B-Instruct-v0.2, Mixtral-8x7B): the system text opens the first user turn."""
    turns = _turns(messages, do_continue)
    systems = [turn.text for turn in turns if turn.role in _SYSTEMS]
    spoken = [turn for turn in turns if turn.role not in _SYSTEMS]
    if systems:
        system = "\n\n".join(systems)
        first = next((i for i, turn in enumerate(spoken) if turn.role != "assistant"), None)
        if first is None:
            spoken.insert(0, Turn("user", system))
        else:
            spoken[first] = Turn("user", f"{system}\n\n{spoken[first].text}")
    merged = _merged(spoken)
    out = "<s>" + "".join(
        f" {turn.text}</s>" if turn.role == "assistant" else f" [INST] {turn.text} [/INST]" for turn in merged
    )
    return out.removesuffix("</s>") if do_continue else out


def format_prompt_deepseek(messages: Messages, do_continue: bool = False) -> str:
    """DeepSeek V3 and R1 (DeepSeek-V3): the system text bare, the end token after the assistant alone."""
    turns = _turns(messages, do_continue)
    system = "\n\n".join(turn.text for turn in turns if turn.role in _SYSTEMS)
    out = f"<｜begin▁of▁sentence｜>{system}"
    end = "<｜end▁of▁sentence｜>"
    for index, turn in enumerate(turns):
        if turn.role == "assistant":
            # What was thought is left out of the history; in a message that goes on it is part of the text.
            continued = do_continue and index == len(turns) - 1
            text = turn.text if continued else turn.text.rpartition("</think>")[2]
            out += f"<｜Assistant｜>{text}{end}"
        elif turn.role not in _SYSTEMS:
            out += f"<｜User｜>{turn.text}"
    return out.removesuffix(end) if do_continue else f"{out}<｜Assistant｜>"


def format_prompt_custom(messages: Messages, end_token: str = "</s>", do_continue: bool = False) -> str:  # noqa: S107
    """Zephyr's layout with any end token (zephyr-7b-beta)."""
    turns = _turns(messages, do_continue)
    roles = {"developer": "system", "tool": "user"}
    out = f"{end_token}\n".join(f"<|{roles.get(turn.role, turn.role)}|>\n{turn.text}" for turn in turns)
    return out if do_continue else f"{out}{end_token}\n<|assistant|>\n"


def format_prompt(messages: Messages, do_continue: bool = False) -> str:
    """Plain text for models that know no turns (gpt2, gpt_neo).

    One user message is its text alone, to be carried on; a conversation is told as a dialogue with names.
    """
    turns = _turns(messages, do_continue)
    if [turn.role for turn in turns] == ["user"]:
        return turns[0].text
    told = [turn.text if turn.role in _SYSTEMS else f"{turn.role.capitalize()}: {turn.text}" for turn in turns]
    return "\n".join(told if do_continue else [*told, "Assistant:"])


def _chatml(messages: Messages, do_continue: bool, system: str) -> str:
    turns = _turns(messages, do_continue)
    if turns[0].role not in _SYSTEMS:
        turns.insert(0, Turn("system", system))
    out = "<|im_end|>\n".join(f"<|im_start|>{_chatml_turn(turn)}" for turn in turns)
    return out if do_continue else f"{out}<|im_end|>\n<|im_start|>assistant\n"


def _chatml_turn(turn: Turn) -> str:
    if turn.role == "tool":
        return f"user\n<tool_response>\n{turn.text}\n</tool_response>"
    return f"{'system' if turn.role == 'developer' else turn.role}\n{turn.text}"


def _turns(messages: Messages, do_continue: bool) -> list[Turn]:
    """The conversation as roles and texts.

    Raises:
        UsageError: It is empty or malformed, or the user's own words would be continued.
    """
    check_messages(messages)
    if do_continue and messages[-1]["role"] != "assistant":
        raise UsageError("the last message is not the assistant's: there is nothing to continue")
    return [Turn(message["role"], text_of(message.get("content"))) for message in messages]


def _merged(turns: Sequence[Turn]) -> list[Turn]:
    """User and tool turns that follow each other as one: this layout has no room for two questions in a row."""
    merged: list[Turn] = []
    for turn in turns:
        role = "assistant" if turn.role == "assistant" else "user"
        if merged and role == merged[-1].role == "user":
            merged[-1] = Turn("user", f"{merged[-1].text}\n\n{turn.text}")
        else:
            merged.append(Turn(role, turn.text))
    return merged
