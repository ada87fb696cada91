"""Calls against the project's own fault server, and the two ways in which they may rightly end."""

from typing import Any, Final

from fault_server import story
from hfgen import FinishReason, HfgenError, HuggingFaceInference, Session

PATHS: Final = {"chat": "/v1/chat/completions", "completions": "/v1/completions", "tgi": "/generate_stream"}


class WrongText(AssertionError):
    """Text was lost, repeated or altered, and nobody said so."""


async def told(url: str, place: str, api: str, seed: int, session: Session | None = None) -> tuple[str, str]:
    """How the call ended (`whole`, or the error's name), and its text; text that is not the story's is an error."""
    prompt, raw = f"Story {seed}.", api != "chat"
    arguments: dict[str, Any] = {
        "prompt": prompt if raw else None,
        "api_base": f"{url}/{place}{PATHS[api]}",
        "api_key": "k" * 12,
        "temperature": 0,
        "session": session,
        "first_token_timeout": 0.4,
        "idle_timeout": 0.2,
        "total_timeout": 30.0,
    }
    text, ended = "", ""
    try:
        messages: Any = [] if raw else [{"role": "user", "content": prompt}]
        async for event in HuggingFaceInference.create_async_generator("m", messages, **arguments):
            text += event if isinstance(event, str) else ""
            ended = "whole" if isinstance(event, FinishReason) else ended
    except HfgenError as error:
        if error.partial != text:
            raise WrongText(f"the error carries {error.partial!r}, {text!r} was delivered") from error
        ended = type(error).__name__
    check(text, ended, story(seed))
    return ended, text


def check(text: str, ended: str, right: str) -> None:
    """The rule: the whole right text, or its beginning and an error."""
    if ended == "whole" and text != right:
        raise WrongText(f"ended as whole: {text!r}, right is {right!r}")
    if not ended or not right.startswith(text):
        raise WrongText(f"{ended}: {text!r}, right is {right!r}")
