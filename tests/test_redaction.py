"""A secret never shows, however it is spelt; ordinary words do."""

import json
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from hfgen.errors import HfgenError
from hfgen.redaction import conceal, presentable, redact

SECRET = 'p@ss/w+rd "ünsafe"&more'


@pytest.mark.parametrize(
    "spelt",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower().replace("%c3%9c", "%c3%bc"),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        escape(SECRET),
    ],
)
def test_a_known_secret_is_hidden_in_every_spelling(spelt: str) -> None:
    conceal(SECRET)
    assert redact(f"key {spelt}!") == "key [redacted]!"


def test_a_secret_that_begins_with_another_is_hidden_whole() -> None:
    conceal("common-start")
    conceal("common-start-and-more")
    assert redact("x common-start-and-more y") == "x [redacted] y"


def test_control_characters_do_not_hide_a_secret() -> None:
    conceal("squeamish")
    assert "squeam" not in str(HfgenError("key sque\x00am\x1bish"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hf_abcdefghijklmnopqrst", "[redacted]"),
        ("sk-proj-abcdefghijklmnopqrst", "[redacted]"),
        ("BEARER  abc.def", "BEARER  [redacted]"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted]"),
        ('{"authorization":"Bearer xyz12345"}', '{"authorization":"Bearer [redacted]"}'),
        ("x-api-key: 12345678", "x-api-key: [redacted]"),
        ("/v1?api_key=12345678&model=x", "/v1?api_key=[redacted]&model=x"),
        ("Set-Cookie: session=abc; token=def; Path=/", "Set-Cookie: [redacted]"),
        ('"cookie":"a=1; b=2"', '"cookie":"[redacted]"'),
        ("http://user:pass@proxy:3128", "http://[redacted]@proxy:3128"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[redacted]"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "hf-internal-testing/tiny-random-gpt2",
        "fal-ai/flux-pro",
        "a basic understanding of it",
        "the basic authentication",
        "max_tokens must be <= 4096",
        "http://127.0.0.1:8080/v1",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text) == text


def test_a_message_is_fit_for_a_terminal() -> None:
    assert presentable("a\x1b[31mb\x9b0m\x07\u202ec\td\ne\ud83d") == "a[31mb0mc\td\ne\ufffd"
