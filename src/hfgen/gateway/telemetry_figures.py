"""Figures of answers for OpenTelemetry, by the conventions' names: durations, time to a token, tokens.

Nothing is counted without an SDK that somebody has set up. `/metrics` has the figures of requests, whoever listens.
"""

import functools
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from opentelemetry import metrics

from hfgen.events import FinishReason, Usage
from hfgen.gateway import span_names as names
from hfgen.version import __version__

# The conventions' own buckets (docs/gen-ai/gen-ai-metrics.md).
_TOKENS: Final = [4**power for power in range(14)]
_SECONDS: Final = [0.01 * 2**power for power in range(14)]
_FIRST: Final = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]
_EACH: Final = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5]
# What a series is told apart by; all else of a request would make too many of them.
_KEPT: Final = (names.OPERATION, names.PROVIDER, names.REQUEST_MODEL, names.ADDRESS, names.PORT)


class Outcome(NamedTuple):
    """How one answer went.

    Attributes:
        seconds: From the request to its end.
        first: From the request to the first piece of the answer; None where none came.
        usage: In tokens, where the server told it.
        end: None where it broke off.
        error: The name of what went wrong, "" where nothing did.
    """

    seconds: float
    first: float | None
    usage: Usage | None
    end: FinishReason | None
    error: str


class _Histograms(NamedTuple):
    seconds: metrics.Histogram
    served: metrics.Histogram
    first: metrics.Histogram
    each: metrics.Histogram
    tokens: metrics.Histogram


def is_on() -> bool:
    """Whether somebody listens: the API's own providers, which do nothing, are of the API's own module."""
    return type(metrics.get_meter_provider()).__module__ != metrics.MeterProvider.__module__


def record(asked: Mapping[str, Any], outcome: Outcome) -> None:
    """Count one answer.

    Args:
        asked: The attributes of its span when it began.
        outcome: How it went.
    """
    into = _histograms()
    told = {name: asked[name] for name in _KEPT if name in asked}
    if outcome.end is not None and outcome.end.model:
        told[names.RESPONSE_MODEL] = outcome.end.model
    ended = {**told, names.ERROR: outcome.error} if outcome.error else told
    into.seconds.record(outcome.seconds, ended)
    into.served.record(outcome.seconds, ended)
    usage = outcome.usage
    if usage is not None and not usage.estimated:  # a count of pieces is no number of tokens
        into.tokens.record(usage.prompt_tokens, {**told, names.OF_WHICH_KIND: "input"})
        into.tokens.record(usage.completion_tokens, {**told, names.OF_WHICH_KIND: "output"})
    if outcome.error or outcome.end is None or outcome.first is None or asked.get(names.OUTPUT_TYPE) == "image":
        return  # the times of tokens are those of good answers, in words
    into.first.record(outcome.first, told)
    if usage is not None and not usage.estimated and usage.completion_tokens > 1:
        into.each.record((outcome.seconds - outcome.first) / (usage.completion_tokens - 1), told)


@functools.cache
def _histograms() -> _Histograms:
    made = metrics.get_meter("hfgen.gateway", __version__).create_histogram
    return _Histograms(
        made(
            names.OPERATION_SECONDS,
            "s",
            "An answer, as the gateway waits for it.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        ),
        made(
            names.SERVED_SECONDS,
            "s",
            "An answer, as its caller waits for it.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        ),
        made(
            names.TIME_TO_FIRST, "s", "To the first token of a good answer.", explicit_bucket_boundaries_advisory=_FIRST
        ),
        made(names.TIME_FOR_EACH, "s", "For each token after the first.", explicit_bucket_boundaries_advisory=_EACH),
        made(names.TOKENS, "{token}", "Tokens of prompts and answers.", explicit_bucket_boundaries_advisory=_TOKENS),
    )
