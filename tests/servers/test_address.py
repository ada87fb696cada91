"""What people give as `api_base`, and what is made of it."""

import warnings
from urllib.parse import urlsplit

import pytest
from hypothesis import given, strategies as st

from hfgen.errors import UsageError
from hfgen.servers.address import Address, parse_api_base
from hfgen.servers.detect import parse_api_base as parse_from_detect

HERE = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("given_", "root", "path", "api"),
    [
        (HERE, HERE, "", ""),
        (f"{HERE}/", HERE, "", ""),
        (f"  {HERE}/v1/ ", HERE, "", ""),
        (f"{HERE}/v1/models", HERE, "", ""),
        ("127.0.0.1:8080", HERE, "", ""),
        ("127.0.0.1:8080/v1", HERE, "", ""),
        ("localhost", "http://localhost", "", ""),
        ("localhost:8080/v1/completions", "http://localhost:8080", "/v1/completions", "completions"),
        ("box.lan:8080", "http://box.lan:8080", "", ""),
        ("[::1]:8080", "http://[::1]:8080", "", ""),
        ("HTTPS://Example.ORG:443/v1", "https://example.org", "", ""),
        (f"{HERE}/v1/chat/completions", HERE, "/v1/chat/completions", "chat"),
        (f"{HERE}/chat/completions/", HERE, "/chat/completions", "chat"),
        (f"{HERE}/api/paas/v4/chat/completions", f"{HERE}/api/paas/v4", "/chat/completions", "chat"),
        (f"{HERE}/v1/completions", HERE, "/v1/completions", "completions"),
        (f"{HERE}/completions", HERE, "/completions", "completions"),
        (f"{HERE}/v1/images/generations", HERE, "/v1/images/generations", "images"),
        (f"{HERE}/generate_stream", HERE, "/generate_stream", "tgi"),
        (f"{HERE}/generate", HERE, "/generate", "tgi"),
        (f"{HERE}/invocations", HERE, "/invocations", "tgi"),
        (f"{HERE}/models/gpt2", HERE, "/models/gpt2", "tgi"),
        (f"{HERE}/hf-inference/models/a/b", f"{HERE}/hf-inference", "/models/a/b", "tgi"),
        (f"{HERE}/models/a/b/v1/chat/completions", f"{HERE}/models/a/b", "/v1/chat/completions", "chat"),
        (f"{HERE}/predict", HERE, "/predict", "toolkit"),
        (f"{HERE}/fault/x/case/v1", f"{HERE}/fault/x/case", "", ""),
        (f"{HERE}/fault/x/case/v1/chat/completions", f"{HERE}/fault/x/case", "/v1/chat/completions", "chat"),
        (f"{HERE}/regenerate", f"{HERE}/regenerate", "", ""),
    ],
)
def test_a_root_its_v1_and_a_full_path_are_all_understood(given_: str, root: str, path: str, api: str) -> None:
    address = parse_api_base(given_)
    assert (address.root, address.path, address.api) == (root, path, api)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        " ",
        "http://",
        "ftp://example.org",
        "file:///etc/passwd",
        "mailto:someone",
        "example.org",
        "example.org/v1",
        "http://example.org:99999",
        "http://example.org:0",
        "http://exa mple.org",
        "http://[::1",
        "http://example.org/a\nb",
        "http://example.org/v1?key=1",
        "http://example.org/v1#model",
        "http://example.org/v1?",
        "owner/name",
    ],
)
def test_what_is_no_address_of_a_server_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError):
        parse_api_base(wrong)


@pytest.mark.parametrize("url", ["http://me:secret7@127.0.0.1:8080/v1", "me:secret7@host:80", "http://secret7@host/"])
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="api_key=") as caught:
        parse_api_base(url)
    assert "secret7" not in str(caught.value)


def test_a_key_in_the_query_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        parse_api_base("http://host/v1?api_key=secret7")
    assert "secret7" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", Address("https://router.huggingface.co")),
        ("/v1/", Address("https://router.huggingface.co")),
        ("/v1/chat/completions", Address("https://router.huggingface.co", "/v1/chat/completions", "chat")),
        ("/models/a/b", Address("https://router.huggingface.co/hf-inference", "/models/a/b", "tgi")),
        (
            "/models/a/b/v1/chat/completions",
            Address("https://router.huggingface.co/hf-inference/models/a/b", "/v1/chat/completions", "chat"),
        ),
    ],
)
def test_the_retired_host_leads_to_the_router_with_a_warning(old: str, new: Address) -> None:
    with pytest.warns(UserWarning, match="no longer in service"):
        assert parse_api_base(f"https://api-inference.huggingface.co{old}") == new


def test_the_warning_is_shown_once() -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        for _ in range(3):
            parse_api_base("https://api-inference.huggingface.co")
    assert len(shown) == 1


def test_it_is_to_be_had_where_detection_is() -> None:
    assert parse_from_detect is parse_api_base


@given(st.text() | st.from_regex(r"(https?://)?[\w.:@\[\]-]{1,20}(/[\w./?#%-]{0,30})?"))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    try:
        address = parse_api_base(text)
    except UsageError:
        return
    parts = urlsplit(address.root)
    assert parts.scheme in ("http", "https")
    assert parts.hostname
    assert not parts.query
    assert not parts.fragment
    assert not address.root.endswith("/")
    assert bool(address.path) == bool(address.api)


@given(st.sampled_from(["", "/v1", "/v1/chat/completions", "/generate_stream", "/x/v1"]))
def test_reading_a_root_again_changes_nothing(ending: str) -> None:
    root = parse_api_base(f"{HERE}{ending}").root
    assert parse_api_base(root) == Address(root)
