"""What a template is given and what becomes of its failures, on templates of a line."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hfgen.errors import ContinuationError, TemplateBroken, TemplateRefused, TemplateTooCostly, UsageError
from hfgen.prompts import ChatTemplate, chat_template

CHAT = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
TRIMMING = CHAT.replace("m.content }}", "m.content|trim }}")
HI = [{"role": "user", "content": "Hi"}]


def rendered(source: str, messages: Any = HI, **options: Any) -> str:
    return ChatTemplate(source, {"bos_token": "<s>", "pad_token": None}).render(messages, **options)


def test_the_generation_prompt_is_opened_on_request_only() -> None:
    assert rendered(CHAT) == "<user>Hi</>"
    assert rendered(CHAT, add_generation_prompt=True) == "<user>Hi</><assistant>"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ {'ü': '<&>', 'x': none}|tojson }}", '{"ü": "<&>", "x": null}'),
        ("{{ [1]|tojson(indent=2) }}", "[\n  1\n]"),
        ("{{ tools is defined }} {{ tools is none }} {{ documents is none }}", "True True True"),
        ("{{ bos_token }}{{ pad_token is defined }}", "<s>False"),
        ("{% generation %}a{% set x = 1 %}{% endgeneration %}{{ x is defined }}", "aFalse"),
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        ("{{ strftime_now('%d %b %Y') }}", "07 Mar 2025"),
        ("{{ dict(a=1) }}{{ dict.fromkeys('ab', 0) }}", "{'a': 1}{'a': 0, 'b': 0}"),
        ("  {% if true %}\n  x\n  {% endif %}\ny\n\n", "  x\ny\n"),
        ("{{ '{:>4}|{0.real}'.format(7, 7) if false else '{:>4}'.format(7) }}", "   7"),
        ("{{ none ~ 1e-07 ~ [true] }}", "None1e-07[True]"),
        ("{% for i in range(4) if i is odd %}{{ loop.index }}{{ i }}{{ loop.last }} {% endfor %}", "11False 23True "),
        ("{{ strftime_now(format='%Y') }}", "2025"),
        ("{{ ('{}'|safe).format('<') }}", "&lt;"),
        ("{{ 'a' + 'b' + messages[0].content }}{{ [1] + [2] + [3] }}{{ 1 + 2 }}", "abHi[1, 2, 3]3"),
        ("{{ 1 < 2 < 3 }}{{ 'a' in ['a'] }}{{ 'x' not in messages[0] }}{{ messages == messages }}", "TrueTrueTrueTrue"),
        ("{{ 'a,b'.split(',')|join('+') }}{{ ' x '.strip().rjust(3, '.') }}", "a+b..x"),
    ],
)
def test_the_environment_is_that_of_transformers(source: str, expected: str) -> None:
    assert rendered(source, now=datetime(2025, 3, 7)) == expected  # noqa: DTZ001 - the local time is shown


def test_the_callers_variables_win_over_the_special_tokens() -> None:
    assert rendered("{{ bos_token }}{{ enable_thinking }}", bos_token="B", enable_thinking=False) == "BFalse"


def test_the_callers_own_objects_never_reach_a_template() -> None:
    class Door:
        def tolist(self) -> str:
            return "open"

    assert rendered("{{ door }}{{ door.tolist is defined }}", door=Door()) == "<Door>False"


def test_what_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(UsageError, match="nests too deep"):
        rendered(CHAT, [{"role": "user", "content": endless}])


def test_many_threads_render_at_once() -> None:
    template = ChatTemplate(CHAT + "{{ strftime_now('%Y') }}", {})

    def render(year: int) -> str:
        return template.render([{"role": "user", "content": str(year)}] * 50, now=datetime(year, 1, 1))  # noqa: DTZ001

    with ThreadPoolExecutor(8) as pool:
        years = [*range(1000, 1400)]
        made = list(pool.map(render, years))
    assert made == [f"<user>{year}</>" * 50 + str(year) for year in years]


def test_the_cache_of_compiled_templates_is_bounded() -> None:
    for number in range(300):
        ChatTemplate(f"{number}", {})
    held = chat_template._compiled.cache_info()
    assert held.maxsize is not None
    assert held.currsize <= held.maxsize <= 300
    before = held.hits
    ChatTemplate("299", {})
    assert chat_template._compiled.cache_info().hits == before + 1


def test_the_templates_refusal_keeps_its_words() -> None:
    with pytest.raises(TemplateRefused) as caught:
        rendered("{{ raise_exception('Roles must alternate!') }}")
    assert caught.value.message == "Roles must alternate!"


@pytest.mark.parametrize(
    "source",
    [
        "{% if %}",
        "{{ nothing.at.all }}",
        "{{ 1 + 'a' }}",
        "{{ bos_token + pad_token }}",
        "{{ x|from_json }}",
        "{% include 'x' %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
        "{{ namespace(_a=1) }}",
        "{{ dict.fromkeys('ab', value=0) }}",
        "{{ '{0.__class__.__mro__}'.format(messages) }}",
        "{{ dict.__subclasses__() }}",
    ],
)
def test_a_template_that_fails_or_reaches_out_is_broken(source: str) -> None:
    with pytest.raises(TemplateBroken):
        rendered(source)


def test_a_bound_is_told_from_a_fault() -> None:
    with pytest.raises(TemplateTooCostly, match="bound of the sandbox"):
        rendered("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")


def test_messages_are_copied_plain_and_never_changed() -> None:
    class Role(StrEnum):
        USER = "user"

    @dataclass
    class Spoken:
        role: Role
        content: str
        name: str | None = None

    assert rendered("{{ messages[0] }}", [Spoken(Role.USER, "Hi")]) == "{'role': 'user', 'content': 'Hi'}"
    given = [{"role": "assistant", "content": "a", "x": object(), "thinking": "t", "none": None}]
    before = [dict(message) for message in given]
    assert rendered("{{ messages[0] }}", given) == (
        "{'thinking': 't', 'role': 'assistant', 'content': 'a', 'x': '<object>', 'reasoning_content': 't'}"
    )
    rendered(CHAT, given, continue_final_message=True)
    assert given == before


@pytest.mark.parametrize("messages", [[], ["Hi"], [None]])
def test_what_is_no_conversation_is_refused(messages: list[Any]) -> None:
    with pytest.raises(UsageError):
        rendered(CHAT, messages)


class TestContinuing:
    def test_it_ends_inside_the_last_message(self) -> None:
        assert rendered(CHAT, [*HI, says("1, 2,")], continue_final_message=True) == "<user>Hi</><assistant>1, 2,"

    def test_a_template_that_trims_takes_the_white_space_at_the_end(self) -> None:
        assert rendered(CHAT, [says("1, \n")], continue_final_message=True) == "<assistant>1, \n"
        assert rendered(TRIMMING, [says("1, \n")], continue_final_message=True) == "<assistant>1,"

    def test_the_last_text_part_is_continued(self) -> None:
        message = {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}
        source = "{% for p in messages[0].content %}[{{ p.text }}]{% endfor %}"
        assert rendered(source, [message], continue_final_message=True) == "[a"

    def test_a_field_by_name_with_all_its_aliases(self) -> None:
        message = {"role": "assistant", "content": "", "reasoning_content": "Let me"}
        made = rendered("<think>{{ messages[0].thinking }}", [message], continue_final_message="reasoning_content")
        assert made == "<think>Let me"

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("{{ messages[0].content.split('</think>')[0] }}", {"role": "assistant", "content": "a</think>b"}),
            ("{{ messages[0].role }}", {"role": "assistant", "content": "a"}),
            (CHAT, {"role": "assistant"}),
            (CHAT, {"role": "assistant", "content": [{"type": "image"}]}),
        ],
    )
    def test_what_cannot_be_continued_is_refused(self, source: str, message: dict[str, Any]) -> None:
        with pytest.raises(ContinuationError):
            rendered(source, [message], continue_final_message=True)

    def test_a_prompt_cannot_both_continue_and_open_a_turn(self) -> None:
        with pytest.raises(UsageError):
            rendered(CHAT, continue_final_message=True, add_generation_prompt=True)

    @given(st.text())
    def test_a_continued_prompt_is_a_prefix_of_the_closed_one(self, text: str) -> None:
        messages = [*HI, says(text)]
        continued = rendered(CHAT, messages, continue_final_message=True)
        assert continued == f"<user>Hi</><assistant>{text}"
        assert rendered(CHAT, messages).startswith(continued)
        trimmed = rendered(TRIMMING, messages, continue_final_message=True)
        assert rendered(TRIMMING, messages).startswith(trimmed)


def says(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_the_package_is_imported_without_jinja2() -> None:
    code = "import sys, hfgen, hfgen.prompts.inputs; assert 'jinja2' not in sys.modules; hfgen.prompts.ChatTemplate"
    subprocess.run([sys.executable, "-c", code], check=True)
