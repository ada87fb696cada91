"""Byte for byte what transformers 5.23 makes of every template and conversation that was recorded."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from hfgen.errors import ContinuationError, PromptError, TemplateBroken, TemplateRefused
from hfgen.facts import ModelFacts
from hfgen.generation import Generation
from hfgen.messages import Message
from hfgen.prompts import (
    ChatTemplate,
    format_prompt_custom,
    format_prompt_deepseek,
    format_prompt_llama,
    format_prompt_mistral,
    format_prompt_qwen,
    format_prompt_qwen2,
    get_inputs,
)
from hfgen.prompts.inputs import render

pytestmark = pytest.mark.shared

NOW = datetime(2025, 3, 7, 9, 5, 3)  # noqa: DTZ001 - transformers shows the local time
KINDS = {"template_raise": TemplateRefused, "continue_final": ContinuationError}
FAMILIES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "mistral": (format_prompt_mistral, ("mistralai--Mistral-7B-Instruct-v0.1", "mistralai--Mistral-7B-Instruct-v0.2")),
    "qwen": (format_prompt_qwen, ("Qwen--Qwen2.5-7B-Instruct", "ollama--qwen2.5-0.5b")),
    "qwen2": (format_prompt_qwen2, ("Qwen--Qwen2.5-Coder-0.5B-Instruct", "Qwen--Qwen2.5-VL-7B-Instruct")),
    "llama": (format_prompt_llama, ("meta-llama--Meta-Llama-3-8B-Instruct", "llama.cpp-test--Llama-3")),
    "custom": (format_prompt_custom, ("HuggingFaceH4--zephyr-7b-beta",)),
    "deepseek": (format_prompt_deepseek, ("deepseek-ai--DeepSeek-R1", "deepseek-ai--DeepSeek-Prover-V2-671B")),
}
MARKER = re.compile(r"<[^\s<>]{1,40}>|\[/?[A-Za-z_]{2,30}\]")
PIPED = re.compile(r"<\|[^\s<>|]+\|>|</?[a-z_]+>|\[/?[A-Z_]+\]")
PLAIN = (
    "single_user_agp",
    "system_user_agp",
    "multi_turn_agp",
    "unicode_agp",
    "whitespace_agp",
    "special_tokens_agp",
    "empty_content_agp",
    "reasoning_history",
    "continue_final",
    "continue_ws",
    "continue_empty",
    "continue_repeat",
)


def tokens_of(entry: dict[str, Any]) -> dict[str, str | None]:
    named = {name: token for name, token in entry.items() if name.endswith("_token")}
    return {**named, **entry.get("other", {})}


@pytest.fixture(scope="session")
def templates(shared: Path) -> Path:
    return shared / "templates"


@pytest.fixture(scope="session")
def cases(templates: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((templates / "cases.json").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="session")
def gold(templates: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (templates / "gold.jsonl").read_text("utf-8").split("\n") if line]


def test_every_line_of_the_gold_is_equal(templates: Path, cases: dict[str, Any], gold: list[dict[str, Any]]) -> None:
    tokens = json.loads((templates / "tokens.json").read_text("utf-8"))
    counts: Counter[tuple[str, bool]] = Counter()
    wrong: list[str] = []
    for line in gold:
        source = (templates / "corpus" / f"{line['t']}.jinja").read_text("utf-8")
        kind, equal = compared(source, tokens_of(tokens[line["t"]]), cases[line["c"]], line)
        counts[kind, equal] += 1
        if not equal:
            wrong.append(f"{line['t']} {line['c']}")
    print({f"{kind} {'equal' if equal else 'WRONG'}": count for (kind, equal), count in sorted(counts.items())})  # noqa: T201
    assert not wrong


def compared(
    source: str, tokens: dict[str, str | None], case: dict[str, Any], line: dict[str, Any]
) -> tuple[str, bool]:
    kind: str = line["err"]["kind"] if "err" in line else "out"
    try:
        template = ChatTemplate(source, tokens)
        made = template.render(
            case["messages"], tools=case["tools"], documents=case["documents"], now=NOW, **case["kwargs"]
        )
    except PromptError as error:
        if kind == "template_raise" and error.message != line["err"]["msg"]:
            return kind, False
        return kind, kind != "out" and isinstance(error, KINDS.get(kind, TemplateBroken))
    return kind, kind == "out" and made == line["out"]


def test_every_named_formatter_equals_its_familys_own_templates(
    cases: dict[str, Any], gold: list[dict[str, Any]]
) -> None:
    expected = {(line["t"], line["c"]): line["out"] for line in gold if "out" in line}
    counts: Counter[tuple[str, bool]] = Counter()
    wrong: list[str] = []
    for name, (formatter, of_family) in FAMILIES.items():
        for template, case in itertools.product(of_family, PLAIN):
            continues = cases[case]["kwargs"].get("continue_final_message", False)
            equal = formatter(cases[case]["messages"], do_continue=continues) == expected[template, case]
            counts[name, equal] += 1
            if not equal:
                wrong.append(f"{name} {template} {case}")
    print({f"{name} {'equal' if equal else 'WRONG'}": count for (name, equal), count in sorted(counts.items())})  # noqa: T201
    assert not wrong


def test_an_answer_is_continued_as_transformers_continues_it(
    templates: Path, cases: dict[str, Any], gold: list[dict[str, Any]]
) -> None:
    """Plain texts, thoughts, calls of tools, lists of parts: by `get_inputs`, and as `action="continue"` renders it."""
    tokens = json.loads((templates / "tokens.json").read_text("utf-8"))
    counts: Counter[tuple[str, bool]] = Counter()
    for line in gold:
        case = cases[line["c"]]
        if line["kw"] == {"continue_final_message": True} and case["messages"][-1]["role"] == "assistant":
            source = (templates / "corpus" / f"{line['t']}.jinja").read_text("utf-8")
            config = {**tokens_of(tokens[line["t"]]), "chat_template": source}
            made = continued(case, {"id": "a/b", "config": {"tokenizer_config": config}}, source)
            counts[line["c"], made == {line.get("out")}] += 1
    print({f"{name} {'equal' if equal else 'WRONG'}": count for (name, equal), count in sorted(counts.items())})  # noqa: T201
    assert {name for name, equal in counts if equal} >= {"continue_final", "continue_think", "continue_parts"}
    assert all(equal for _, equal in counts)


def continued(case: dict[str, Any], record: dict[str, Any], source: str) -> set[str | None]:
    """The prompts that the two ways make of it, None for one that is refused."""
    tools = None if case["tools"] is None else tuple(case["tools"])
    asked = Generation(messages=case["messages"], tools=tools, continues=True, special_tokens="keep")
    made = {outcome(partial(render, asked, ModelFacts.from_hub(record), now=NOW))}
    if tools is None and "strftime_now" not in source:  # `get_inputs` takes neither tools nor a date
        made.add(outcome(partial(get_inputs, case["messages"], record, "", do_continue=True)))
    return made


def outcome(make: Callable[[], str]) -> str | None:
    try:
        return make()
    except PromptError:
        return None


def test_no_users_text_makes_a_special_token_of_any_template(templates: Path) -> None:
    tokens = json.loads((templates / "tokens.json").read_text("utf-8"))
    tried = 0
    for path in sorted((templates / "corpus").glob("*.jinja")):
        facts = ModelFacts(
            "a/b",
            special_tokens={name: token for name, token in tokens_of(tokens[path.stem]).items() if token},
            templates={"default": path.read_text("utf-8")},
        )
        try:
            clean = asked(facts, "U")
        except PromptError:
            continue
        markers = set(MARKER.findall(clean))
        forged = asked(facts, "U" + "".join(sorted(markers)))
        assert {name: forged.count(name) for name in markers} == {name: clean.count(name) for name in markers}, path
        tried += 1
    assert tried > 180


def tool_talk(text: str, field: str) -> list[Message]:
    result: dict[str, Any] = {"role": "tool", "content": "R", "name": "f", "tool_call_id": "abcdefghi"}
    result[field] += text
    call: Message = {
        "role": "assistant",
        "content": "A",
        "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}],
    }
    return [{"role": "user", "content": "U"}, call, cast("Message", result)]


@pytest.mark.parametrize("field", ["content", "name", "tool_call_id"])
def test_nothing_of_a_tool_makes_a_special_token_of_any_template(templates: Path, field: str) -> None:
    tokens = json.loads((templates / "tokens.json").read_text("utf-8"))
    tried = 0
    for path in sorted((templates / "corpus").glob("*.jinja")):
        special = {name: token for name, token in tokens_of(tokens[path.stem]).items() if token and token.strip()}
        facts = ModelFacts("a/b", special_tokens=special, templates={"default": path.read_text("utf-8")})
        try:
            clean = render(Generation(messages=tool_talk("", field)), facts, now=NOW)
            markers = {*PIPED.findall(clean), *special.values()}
            spelled = sorted(markers)
            for text in ("".join(spelled), " ".join(spelled), "".join(token[:-1] + token for token in spelled)):
                forged = render(Generation(messages=tool_talk(text, field)), facts, now=NOW)
                assert {m: forged.count(m) for m in markers} == {m: clean.count(m) for m in markers}, path
        except PromptError:
            continue  # it knows no tools, or takes an id of nine letters only
        tried += 1
    assert tried > 100


KEY = re.compile(r"""\.([A-Za-z_]+)\b(?!\()|\[['"]([A-Za-z_]+)['"]\]""")


def keys_of(source: str) -> list[str]:
    """Every key that a template reads of anything; and one that only a dump of the whole message would show."""
    named = {first or second for first, second in KEY.findall(source)}
    return [*sorted(named - {"role", "type", "content", "tool_calls", "image_url", "image"}), "unheard_of"]


def spoken(role: str, key: str, content: str, value: str, *, parts: bool) -> list[Message]:
    """A conversation whose last message, the user's or a tool's, has a text under a key beside its content."""
    more = {key: value}
    said: Any = [{"type": "text", "text": content, **more}] if parts else content
    last = {"role": role, "content": said, **({} if parts else more)}
    before = [] if role == "user" else tool_talk("", "content")[:2]
    return [*before, cast("Message", last)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("parts", [False, True])
@pytest.mark.parametrize("role", ["user", "tool"])
def test_no_key_of_a_message_makes_a_special_token_of_any_template(templates: Path, role: str, parts: bool) -> None:
    tokens = json.loads((templates / "tokens.json").read_text("utf-8"))
    shown = 0
    for path in sorted((templates / "corpus").glob("*.jinja")):
        source = path.read_text("utf-8")
        special = {name: token for name, token in tokens_of(tokens[path.stem]).items() if token and token.strip()}
        facts = ModelFacts("a/b", special_tokens=special, templates={"default": source})
        for key in keys_of(source):
            try:
                clean = render(Generation(messages=spoken(role, key, "C", "K", parts=parts)), facts, now=NOW)
            except PromptError:
                continue
            if "K" not in clean:
                continue
            shown += 1
            markers = sorted({*PIPED.findall(clean), *special.values()})
            whole = "".join(markers)
            halves = [(marker[: len(marker) // 2], marker[len(marker) // 2 :]) for marker in markers]
            attacks = [
                ("C" + whole, "K" + whole),
                *(("C" + first, second + "K") for first, second in halves),  # whichever is printed first
                *((second + "C", "K" + first) for first, second in halves),
            ]
            for content, value in attacks:
                try:
                    forged = render(Generation(messages=spoken(role, key, content, value, parts=parts)), facts, now=NOW)
                except PromptError:
                    continue  # an id or a format that has to be of a form
                found = {m: forged.count(m) for m in markers}
                assert found == {m: clean.count(m) for m in markers}, (path.stem, key, content, value)
    assert shown > 20


def asked(facts: ModelFacts, text: str) -> str:
    return render(Generation(messages=[{"role": "user", "content": text}]), facts, now=NOW)


@pytest.mark.timeout(300)
def test_two_hundred_long_messages_stay_below_the_bounds_of_every_template(templates: Path) -> None:
    tokens = json.loads((templates / "tokens.json").read_text("utf-8"))
    text = ("Lorem ipsum dolor sit amet, <b>consectetur</b>.\n" * 250)[:10_000]
    messages = [{"role": ("user", "assistant")[turn % 2], "content": text} for turn in range(199)]
    rendered = 0
    for path in sorted((templates / "corpus").glob("*.jinja")):
        template = ChatTemplate(path.read_text("utf-8"), tokens_of(tokens[path.stem]))
        try:
            rendered += bool(template.render(messages, add_generation_prompt=True))
        except (TemplateRefused, TemplateBroken):
            continue  # as transformers refuses them: some need tools, or contents that are lists
    assert rendered > 190
