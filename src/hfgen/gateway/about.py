"""What a front tells of an answer beside what was asked."""

from typing import NamedTuple


class About(NamedTuple):
    """What is told of an answer beside what was asked.

    Attributes:
        answer_id: As the caller gets it, "" where its form has none.
        choices: How many answers were asked for.
        stream: Whether it is streamed.
    """

    answer_id: str = ""
    choices: int = 1
    stream: bool = False
