"""Fitting a conversation into a model's context: the oldest turns go, whole, and what went is said.

Nothing here asks a network: how long a text is comes in as a function.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hfgen.errors import PromptError
from hfgen.messages import Message, Messages

_KEPT: Final = frozenset({"system", "developer"})
_BYTES_PER_TOKEN: Final = 3  # English takes four or more, Chinese three: an estimate that is rather too high
_LARGEST_SHARE: Final = 2  # an answer reserves at most half of the context, whatever max_tokens says


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is left of a conversation.

    Attributes:
        messages: In their order; the system's, the last user turn, and as many turns before it as fit.
        dropped: How many messages went.
        tokens: What the rest takes, by the count that was given.
    """

    messages: Messages
    dropped: int
    tokens: int


def room(context: int, max_tokens: int | None) -> int:
    """Tokens that a prompt may take, so that the answer has its own; never less than half of the context."""
    return context - min(max_tokens or 0, context // _LARGEST_SHARE)


def estimate(text: str) -> int:
    """Tokens of a text where no tokenizer is at hand: one for every three bytes of UTF-8, rather too many."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


def fit(messages: Messages, render: Callable[[Messages], str], limit: int, count: Callable[[str], int]) -> Fitted:
    """Drop as few of the oldest turns as it takes.

    A turn is a user's message and all that follows it up to the next: calls of tools stay with their results. A system
    message is never dropped, nor is the last turn. The rendered prompt is counted each time, so that what a template
    adds is counted too; halving needs few counts.

    Args:
        messages: The conversation.
        render: Makes the prompt of a conversation.
        limit: Tokens that the prompt may take.
        count: Tokens of a text.

    Raises:
        PromptError: Not even the last turn fits; with both numbers. Or the template refuses the conversation.
    """
    turns = _turns(messages)

    def without(dropped: int) -> tuple[Messages, int]:
        gone = {index for turn in turns[:dropped] for index in turn}
        kept = [message for index, message in enumerate(messages) if index not in gone]
        return kept, count(render(kept))

    kept, tokens = without(0)
    if tokens <= limit:
        return Fitted(messages, 0, tokens)
    least, most = 1, max(len(turns) - 1, 0)
    best = without(most) if most else (kept, tokens)
    if best[1] > limit:
        raise too_long(best[1], limit)
    while least < most:
        middle = (least + most) // 2
        tried = without(middle)
        if tried[1] <= limit:
            most, best = middle, tried
        else:
            least = middle + 1
    return Fitted(best[0], len(messages) - len(best[0]), best[1])


def least(messages: Messages) -> Messages:
    """What `fit` never drops: the system's messages and the last turn."""
    gone = {index for turn in _turns(messages)[:-1] for index in turn}
    return [message for index, message in enumerate(messages) if index not in gone]


def too_long(tokens: int, limit: int, *, estimated: bool = False) -> PromptError:
    """The error of what cannot be made to fit."""
    many = f"{tokens} tokens{' by estimate' if estimated else ''}"
    return PromptError(
        f"the last turn alone takes {many} with the system message, and {limit} fit into the model's context",
        hint="Shorten it, ask for fewer max_tokens, or send it all the same with fit=False.",
    )


def _turns(messages: Sequence[Message]) -> list[list[int]]:
    """The indices of each turn's messages, the system's left out; what stands before the first user is a turn too."""
    turns: list[list[int]] = []
    for index, message in enumerate(messages):
        if message["role"] in _KEPT:
            continue
        follows_user = index > 0 and messages[index - 1]["role"] == "user"
        if not turns or (message["role"] == "user" and not follows_user):
            turns.append([])
        turns[-1].append(index)
    return turns
