"""Operators and methods whose result can dwarf their operands: charged before they run."""

import re
from collections.abc import Callable, ItemsView, Iterable, KeysView, Mapping, Sequence
from string import Formatter as StringFormatter
from typing import Any, Final, cast

from jinja2.sandbox import SandboxedEscapeFormatter, SandboxedFormatter
from markupsafe import Markup

from hfgen.prompts.allowance import STEP, measure, spend, too_costly, weight

_LONGEST_INTEGER: Final = 65_536  # bits
_POINTER: Final = 8
_WIDTH: Final = re.compile(r"\d+")
_ESCAPED: Final = 6  # times what a text can grow by when it is escaped for HTML
_LONGEST_HASH_KEPT_APART: Final = 60  # bits; Python hashes integers modulo 2**61 - 1
_CODECS: Final = frozenset({"utf8", "utf16", "utf32", "ascii", "latin1", "strict", "ignore", "replace"})
LONGEST_SEARCHED: Final = 131_072  # characters; the patterns that search can go over a text many times


def checked_operation(operator: str, left: object, right: object) -> None:
    """Charge `left operator right`; the operators are + * % and **."""
    if operator == "+":
        spend(_held(left) + _held(right))
    elif operator == "%":
        if isinstance(left, (str, bytes)):
            spend(_printf(left, right))
    elif operator == "*":
        _check_product(left, right)
    else:
        _check_power(left, right)


def _held(value: object) -> int:
    """Bytes that a copy takes, its items not counted."""
    if isinstance(value, (str, bytes)):
        return weight(value)
    return _POINTER * len(cast("Sequence[object]", value)) if isinstance(value, (list, tuple)) else _POINTER


def _check_product(left: object, right: object) -> None:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > _LONGEST_INTEGER:
            raise too_costly("a number grows too long")
    elif isinstance(left, int) or isinstance(right, int):
        factor, repeated = (left, right) if isinstance(left, int) else (right, left)
        if isinstance(repeated, (str, bytes, list, tuple)):
            spend(max(0, cast("int", factor)) * (measure(cast("object", repeated)) + _POINTER))


def _check_power(base: object, exponent: object) -> None:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > _LONGEST_INTEGER:
        raise too_costly("a number grows too long")


def _printf(form: str | bytes, values: object) -> int:
    text = form if isinstance(form, str) else form.decode("latin-1")
    width = sum(int(number[:12]) for number in _WIDTH.findall(text)) if "%" in text else 0
    if "*" in text:
        width += sum(map(abs, _whole(values)))
    # A named value may be printed any number of times.
    return weight(form) + 4 * width + measure(values) * text.count("%(")


def _whole(values: object) -> list[int]:
    """The integers among a format's values: any of them may be a width."""
    given = cast("tuple[object, ...]", values) if isinstance(values, tuple) else (values,)
    return [value for value in given if isinstance(value, int)]


class _Charging(StringFormatter):
    """`str.format` with its widths charged."""

    def format_field(self, value: Any, format_spec: str) -> str:
        spend(4 * sum(int(number[:12]) for number in _WIDTH.findall(format_spec)))
        measure(value)
        return cast("str", super().format_field(value, format_spec))

    def convert_field(self, value: Any, conversion: Any) -> Any:
        measure(value)
        return super().convert_field(value, conversion)


class Formatter(_Charging, SandboxedFormatter):
    """For a plain text."""


class EscapeFormatter(_Charging, SandboxedEscapeFormatter):
    """For a text that is marked as safe HTML."""


def checked_call(method: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Charge a call of a built-in type's method; the arguments come back, iterators among them made lists."""
    owner: object = method.__self__
    name: str = method.__name__
    if isinstance(owner, (str, bytes)):
        args = _materialised(args) if name == "join" else args
        price = _TEXT_PRICES.get(name)
        cost = weight(owner) + (price(owner, (*args, *kwargs.values())) if price else 0)
        spend(cost * _ESCAPED if isinstance(owner, Markup) else cost)
    elif name in {"to_bytes", "from_bytes"}:
        spend(sum(value if isinstance(value, int) else _held(value) * STEP for value in (*args, *kwargs.values())))
    elif isinstance(owner, (list, tuple, dict)):
        _check_container(name, cast("Sequence[object]", owner), args)
    elif isinstance(owner, (KeysView, ItemsView)):
        # What is left to a view is `isdisjoint`, which looks up one by one.
        spend(measure(cast("object", owner)) * (1 + sum(map(measure, args))))
    else:
        measure(owner)
        measure((args, kwargs))
    return args


def _check_container(name: str, owner: Sequence[object], args: tuple[Any, ...]) -> None:
    if name in {"index", "count"}:
        measure(owner)
    elif name not in {"get", "items", "keys", "values"}:
        spend(_POINTER * len(owner))
    for value in args:
        if type(value) is not str:
            measure(value)


def check_keys(keys: list[Any]) -> list[Any]:
    """Charge for keys that can be chosen to meet in one place of a dict: each is then compared with all the others."""
    apart = (str, bool, float, type(None))
    risky = sum(
        1
        for key in keys
        if not (isinstance(key, apart) or (type(key) is int and key.bit_length() <= _LONGEST_HASH_KEPT_APART))
    )
    spend(risky * risky)
    return keys


def _materialised(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        list(cast("Iterable[object]", value)) if isinstance(value, Iterable) and not isinstance(value, str) else value
        for value in args
    )


def integers(args: Sequence[Any]) -> int:
    """Widths and counts among the arguments, all together."""
    return sum(max(0, value) for value in args if isinstance(value, int))


def _padding(_owner: str | bytes, args: tuple[Any, ...]) -> int:
    return 4 * integers(args)


def _tabs(owner: str | bytes, args: tuple[Any, ...]) -> int:
    return 4 * (len(owner) * max(8, integers(args)))


def _joined(owner: str | bytes, args: tuple[Any, ...]) -> int:
    parts = cast("Sequence[object]", args[0]) if args else ()
    return sum(_held(part) for part in parts) + weight(owner) * len(parts)


def replaced(owner: str | bytes, args: tuple[Any, ...]) -> int:
    """What a `replace` makes: each find as long as what comes in its place."""
    texts = [value for value in args if isinstance(value, (str, bytes))]
    if len(texts) < 2 or weight(texts[1]) <= len(texts[0]):  # noqa: PLR2004 - what to find and what to put there
        return 0
    finds = cast("str", owner).count(cast("str", texts[0]))
    return finds * weight(texts[1])


def _split(owner: str | bytes, args: tuple[Any, ...]) -> int:
    by = args[0] if args else None
    if isinstance(by, str) and by and isinstance(owner, str):
        return 64 * owner.count(by)
    return _POINTER * len(owner)


def _translated(owner: str | bytes, args: tuple[Any, ...]) -> int:
    return len(owner) * max((measure(value) for value in args), default=0)


def _stripped(owner: str | bytes, args: tuple[Any, ...]) -> int:
    return len(owner) * sum(len(value) for value in args if isinstance(value, (str, bytes)))


def _sought(owner: str | bytes, args: tuple[Any, ...]) -> int:
    """From the right, each place may be compared with all of the text sought."""
    return len(owner) * max((len(value) for value in args if isinstance(value, (str, bytes))), default=0) // STEP


def _split_from_right(owner: str | bytes, args: tuple[Any, ...]) -> int:
    return _split(owner, args) + _sought(owner, args)


def _coded(owner: str | bytes, args: tuple[Any, ...]) -> int:
    if any(isinstance(value, str) and re.sub(r"[-_ ]", "", value.lower()) not in _CODECS for value in args):
        raise too_costly("it asks for a codec that no prompt needs")
    return 4 * len(owner)


def _searched(owner: str | bytes, args: tuple[Any, ...]) -> int:
    del args
    if len(owner) > LONGEST_SEARCHED:
        raise too_costly("a method searches a very long text")
    return len(owner) * STEP


_TEXT_PRICES: Final[Mapping[str, Callable[[str | bytes, tuple[Any, ...]], int]]] = {
    **dict.fromkeys(("ljust", "rjust", "center", "zfill"), _padding),
    **dict.fromkeys(("split", "splitlines"), _split),
    **dict.fromkeys(("strip", "lstrip", "rstrip"), _stripped),
    **dict.fromkeys(("rfind", "rindex", "rpartition"), _sought),
    **dict.fromkeys(("encode", "decode"), _coded),
    **dict.fromkeys(("striptags", "unescape"), _searched),
    "rsplit": _split_from_right,
    "hex": _tabs,
    "expandtabs": _tabs,
    "join": _joined,
    "replace": replaced,
    "translate": _translated,
}
