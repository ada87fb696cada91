"""A template holds columns in braces and nothing else, and what a row holds is never read as one."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from hfgen.batch.bad_row import RowFault
from hfgen.batch.rows.template import Template
from hfgen.errors import UsageError

names = st.text(min_size=1, max_size=8).filter(lambda name: not set(name) & set("{}"))


def filled(template: str, **values: Any) -> str:
    return Template.parse(template).filled(values)


def test_a_column_in_braces_is_its_text() -> None:
    assert filled("Summarise: {text}", text="a long story") == "Summarise: a long story"


def test_double_braces_are_braces() -> None:
    assert filled('{{"{key}": {{}}}}', key="a") == '{"a": {}}'


def test_a_column_may_have_any_name_but_braces() -> None:
    assert filled("{two words}, {0}, {a.b}, {c!r:>9}", **{"two words": "1", "0": "2", "a.b": "3", "c!r:>9": "4"}) == (
        "1, 2, 3, 4"
    )


@pytest.mark.parametrize("evil", ["{text.__class__}", "{text[0]}", "{text!r}", "{text:>100000000000}"])
def test_no_attribute_index_or_format_is_reached(evil: str) -> None:
    with pytest.raises(RowFault, match="missing"):
        filled(evil, text="x")


@pytest.mark.parametrize("broken", ["{", "}", "{text", "text}", "{a}}", "{}", "{a{b}}", "{{a}"])
def test_a_brace_on_its_own_is_refused(broken: str) -> None:
    with pytest.raises(UsageError, match="brace"):
        Template.parse(broken)


@pytest.mark.parametrize("constant", ["", "the same for all", "{{text}}"])
def test_a_template_without_a_column_is_refused(constant: str) -> None:
    with pytest.raises(UsageError, match="names no column"):
        Template.parse(constant)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (1.5, "1.5"),
        (True, "true"),
        (["a", 1], '["a",1]'),
        ({"b": None}, '{"b":null}'),
        ("", ""),
        (2**80, str(2**80)),
    ],
)
def test_a_value_that_is_no_text_is_written_as_json_writes_it(value: object, text: str) -> None:
    assert filled("<{column}>", column=value) == f"<{text}>"


@pytest.mark.parametrize(("value", "why"), [(None, "null"), (b"\xff", "bytes")])
def test_null_and_bytes_are_no_text(value: object, why: str) -> None:
    with pytest.raises(RowFault, match=why):
        filled("{column}", column=value)


@given(st.text())
def test_what_a_row_holds_is_put_in_as_it_is(text: str) -> None:
    assert filled("[{text}] {{text}}", text=text) == f"[{text}] {{text}}"


@given(st.lists(st.one_of(st.text(), st.tuples(names, st.text()))))
def test_a_template_is_its_texts_and_columns_in_order(parts: list[str | tuple[str, str]]) -> None:
    parts = [*parts, ("last", "!")]
    values = {part[0]: part[1] for part in parts if isinstance(part, tuple)}
    written = "".join(
        part.replace("{", "{{").replace("}", "}}") if isinstance(part, str) else "{" + part[0] + "}" for part in parts
    )
    expected = "".join(part if isinstance(part, str) else values[part[0]] for part in parts)

    template = Template.parse(written)

    assert template.filled(values) == expected
    assert set(template.columns) == set(values)


@given(st.text())
def test_any_text_is_a_template_or_refused(written: str) -> None:
    try:
        template = Template.parse(written)
    except UsageError:
        return
    assert len(template.pieces) == 2 * len(template.columns) + 1
