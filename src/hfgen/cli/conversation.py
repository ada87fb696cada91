"""What was said: questions and answers in turn."""

from hfgen.messages import Message


class Conversation:
    """Messages under a system prompt; a question without an answer is not kept.

    Args:
        system: The system prompt, "" for none.
    """

    def __init__(self, system: str = "") -> None:
        self.system = system
        self._said: list[Message] = []
        self._former: Message | None = None  # an answer that is to be replaced

    @property
    def messages(self) -> list[Message]:
        """All of it, in the order that a model reads."""
        system: list[Message] = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, *self._said]

    @property
    def answered(self) -> bool:
        """Whether the last word is the model's."""
        return bool(self._said) and self._said[-1]["role"] == "assistant"

    def ask(self, text: str) -> None:
        """Add a question."""
        self._said.append({"role": "user", "content": text})

    def hear(self, text: str) -> None:
        """Add what was answered: to the answer that stands last, or as one.

        Where nothing was, the former answer comes back; a question that never had one is dropped, so that asking again
        does not ask twice.
        """
        former, self._former = self._former, None
        if self.answered:
            self._said[-1] = {"role": "assistant", "content": f"{self._said[-1].get('content')}{text}"}
        elif text:
            self._said.append({"role": "assistant", "content": text})
        elif former is not None:
            self._said.append(former)
        elif self._said:
            self._said.pop()

    def take_back(self) -> bool:
        """Set the last answer aside, so that its question stands last; False where there is none."""
        if not self.answered:
            return False
        self._former = self._said.pop()
        return True

    def forget(self) -> None:
        """Begin anew, under the same system prompt."""
        self._said.clear()
