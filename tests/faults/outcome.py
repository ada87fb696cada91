"""What became of one call, and whether that is what a perfect client does."""

import logging
import traceback
from dataclasses import dataclass, field
from typing import Any, Final, Self

import hfgen
from faults.catalogue import Demand, Entry
from hfgen import HfgenError, StreamError

_LONGEST_MESSAGE: Final = 1200
_FIRST_TOKENS: Final = 3


@dataclass(slots=True)
class Outcome:
    """One call as its caller saw it, and as the server did.

    Attributes:
        text: All text delivered, in order.
        ends: The reasons of its `FinishReason` events.
        error: What it raised.
        hung: It had not ended when the harness lost patience.
        requests: The server's log.
        leaked: Where the key was seen outside of its header.
        notes: What a scene of its own found wrong.
    """

    text: str = ""
    ends: list[str] = field(default_factory=list[str])
    error: BaseException | None = None
    hung: bool = False
    seconds: float = 0.0
    expected: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    leaked: str = ""
    notes: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kind` is one word of the table; `wrong` says what is amiss, and is empty for a perfect client."""

    fault: str
    dialect: str
    kind: str
    wrong: str
    requests: int
    seconds: float

    @property
    def passed(self) -> bool:
        return not self.wrong


def judge(entry: Entry, dialect: str, asked: Demand, outcome: Outcome) -> Verdict:
    """Compare an outcome with what the catalogue accepts of a perfect client."""
    kind = kind_of(outcome)
    wrong = [] if kind in entry.accept else [f"{kind}, where {'|'.join(sorted(entry.accept))} is right"]
    if kind in ("ok", "clean"):
        wrong += beside_the_text(asked, outcome)
        wrong += _of_the_error(asked, outcome) if kind == "clean" else _of_the_end(asked, outcome)
    else:
        wrong.append(_shown(outcome))
    wrong += outcome.notes
    if kind == "clean" and "clean" not in entry.accept:
        wrong.append(_shown(outcome))
    return Verdict(entry.id, dialect, kind, "; ".join(wrong), len(outcome.requests), outcome.seconds)


def kind_of(outcome: Outcome) -> str:
    """How it ended, in one word; the worst that is true of it."""
    text, expected = outcome.text, outcome.expected
    if outcome.leaked:
        return "leak"
    if outcome.hung:
        return "hang"
    if not expected.startswith(text):
        return "altered"
    if outcome.error is None:
        return "ok" if text == expected else ("empty" if not text else "truncated")
    if not isinstance(outcome.error, HfgenError):
        return "raw"
    return "clean" if outcome.error.partial == text else "partial"


def beside_the_text(asked: Demand, outcome: Outcome) -> list[str]:
    """What is amiss though the text is right: hammering, haste, slowness, a token that went astray."""
    wrong = []
    sent = len(outcome.requests)
    if asked.most_requests is not None and sent > asked.most_requests:
        wrong.append(f"{sent} requests, at most {asked.most_requests} are right")
    if asked.least_wait and sent > 1:
        gap = outcome.requests[1]["t"] - outcome.requests[0]["t"]
        if gap < asked.least_wait:
            wrong.append(f"asked again after {gap:.2f} s, though told to wait {asked.least_wait:g}")
    if outcome.seconds > asked.most_seconds:
        wrong.append(f"took {outcome.seconds:.1f} s, at most {asked.most_seconds:g} are right")
    if any(one["port"] == 1 and one["auth"] and one["fault"].startswith("redirect") for one in outcome.requests):
        wrong.append("the token went to another origin")
    return wrong


def _of_the_end(asked: Demand, outcome: Outcome) -> list[str]:
    return [] if outcome.ends == [asked.finish] else [f"ended with {outcome.ends}, not [{asked.finish!r}]"]


def _of_the_error(asked: Demand, outcome: Outcome) -> list[str]:
    error = outcome.error
    assert isinstance(error, HfgenError)
    wrong = []
    sent = asked.attempts or len(outcome.requests) or error.attempts  # a server that cannot be reached counts nothing
    if not error.attempts or error.attempts != sent:
        wrong.append(f"the error tells of {error.attempts} attempts, the server of {len(outcome.requests)}")
    if error.cause is not error.__cause__ or (isinstance(error, StreamError) and error.cause is None):
        wrong.append(f"the cause is {error.cause!r}")
    if not isinstance(error, getattr(hfgen, asked.error)):
        wrong.append(f"{type(error).__name__} is no {asked.error}: {error}")
    if asked.said not in str(error).lower():
        wrong.append(f"the message does not say {asked.said!r}: {error}")
    if asked.partial and not error.partial:
        wrong.append("the error carries no text")
    if error.retry_after != asked.retry_after:
        wrong.append(f"retry_after is {error.retry_after}")
    if len(str(error)) > _LONGEST_MESSAGE:
        wrong.append(f"a message of {len(str(error))} characters")
    return wrong


def _shown(outcome: Outcome) -> str:
    at = next((i for i, (a, b) in enumerate(zip(outcome.text, outcome.expected, strict=False)) if a != b), None)
    lengths = f"{len(outcome.text)} of {len(outcome.expected)} characters"
    where = "" if at is None else f", differs at {at}: {outcome.text[at - 10 : at + 10]!r}"
    tries = "/".join(one.get("prefix_state", "?") for one in outcome.requests)
    seen = f"{lengths}{where} [{tries}]"
    return f"{seen} {outcome.leaked} {outcome.error!r}" if outcome.error or outcome.leaked else seen


class Ear(logging.Handler):
    """Hears every log record of the process, at every level, and knows who let a key slip."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.name}: {self.format(record)} {record.args!r}")  # its traceback too

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(logging.DEBUG)
        root.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._level)


def leak(secret: str, error: BaseException | None, ear: Ear) -> str:
    """Where a secret shows: the error as a person, a log or a crash report would see it; every log record."""
    shown = {"a log record": " ".join(line for line in ear.said if secret in line)}
    if error is not None:
        shown["str of the error"] = str(error)
        shown["repr of the error"] = repr(error) + repr(error.args) + repr(vars(error))
        shown["the traceback"] = "".join(traceback.format_exception(error))
    return ", ".join(where for where, text in shown.items() if secret in text)
