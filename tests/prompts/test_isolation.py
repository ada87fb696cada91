"""A template in a process of its own: the same prompts, the same errors, and a wall."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hfgen.errors import TemplateBroken, TemplateRefused, TemplateTooCostly, UsageError
from hfgen.prompts import ChatTemplate
from hfgen.prompts.isolation import RENDERER, Renderer

CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{{ strftime_now('%Y') }}{{ x }}"
HI = [{"role": "user", "content": "Hi \ud800 é"}]
SLOW = "{% for a in range(9999) %}" + "{% set b = a / 3.0 - 1 %}" * 50 + "{% endfor %}"  # some 0.1 s, below every bound


def test_the_prompt_is_the_same() -> None:
    given: dict[str, Any] = {"now": datetime(2025, 3, 7), "x": [1, None, 1e-7], "add_generation_prompt": True}  # noqa: DTZ001
    isolated = ChatTemplate(CHAT, {"bos_token": "<s>"}, isolate=True)
    assert isolated.render(HI, **given) == ChatTemplate(CHAT, {}).render(HI, **given)
    continued = [*HI, {"role": "assistant", "content": "Yo "}]
    assert isolated.render(continued, continue_final_message=True).endswith("<assistant>Yo ")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("{% if %}", TemplateBroken),
        ("{{ raise_exception('No!') }}", TemplateRefused),
        ("{{ 7 ** 300000000 }}", TemplateTooCostly),
    ],
)
def test_errors_are_the_same(source: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        ChatTemplate(source, {}, isolate=True).render(HI)
    with pytest.raises(UsageError):
        ChatTemplate("x", {}, isolate=True).render([])


def test_what_takes_too_long_is_killed_and_the_next_is_served() -> None:
    renderer = Renderer(seconds=60)
    asked: dict[str, Any] = {"messages": HI, "template_kwargs": {}, "now": None}
    assert renderer.render("a", {}, dict(asked)) == "a"
    first = renderer.pid
    renderer._seconds = 0.01
    with pytest.raises(TemplateTooCostly, match="was stopped"):
        renderer.render(SLOW, {}, dict(asked))
    renderer._seconds = 60
    assert renderer.render("b", {}, dict(asked)) == "b"
    assert renderer.pid != first
    renderer.close()
    assert renderer.pid is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc shows a process's environment on Linux only")
def test_the_worker_inherits_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    RENDERER.close()
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    ChatTemplate("a", {}, isolate=True)
    assert b"hf_secret" not in Path(f"/proc/{RENDERER.pid}/environ").read_bytes()
    RENDERER.close()
