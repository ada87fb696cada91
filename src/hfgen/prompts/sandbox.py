"""The environment that transformers 5.23 gives a chat template, with a price on everything that can grow.

The template comes from a stranger's repository. jinja2's sandbox keeps it from reaching anything; what it leaves open
is time and memory. So loops and calls are counted, and what makes text is charged before it is made. The bounds are
hooks, not a wall: a template that has to be kept from a way nobody thought of needs a process of its own.
"""

from collections.abc import Callable
from datetime import datetime
from types import BuiltinMethodType, MethodType
from typing import Any, Final, cast

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.lexer import TokenStream
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, generate_lorem_ipsum
from markupsafe import Markup

from hfgen.errors import TemplateRefused
from hfgen.prompts.allowance import STEP, measure, pinned_now, spend, too_costly, weight
from hfgen.prompts.bounded_calls import EscapeFormatter, Formatter, check_keys, checked_call, checked_operation
from hfgen.prompts.bounded_filters import bounded_filters, bounded_tests
from hfgen.prompts.metering import METERS, metered
from hfgen.prompts.meters import printed

_TOKEN: Final = 2400  # 20,000 tokens of source; the largest real template has about 6,000
_WIDEST_FIELD: Final = 999


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Renders as transformers does, and ends with `TemplateTooCostly` what costs too much."""

    intercepted_binops = frozenset({"+", "*", "%", "**"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[_GenerationBlock, loopcontrols],
            finalize=printed,
        )
        self.filters = bounded_filters(self.filters) | METERS
        self.tests = cast("Any", bounded_tests(cast("dict[str, Callable[..., Any]]", self.tests)))
        self.globals |= {
            "raise_exception": _raise_exception,
            "strftime_now": _strftime_now,
            "namespace": _Namespace,
            "dict": _Dict(),
            "lipsum": _lipsum,
        }

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        stream = super()._tokenize(source, name, filename, state)
        return TokenStream((_counted(token) for token in stream), name, filename)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return metered(Parser(self, source, name, filename).parse(), self)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002 - jinja2's
        checked_operation(operator, left, right)
        return self.binop_table[operator](left, right)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        spend(STEP * (1 + len(args)))
        if type(obj) is BuiltinMethodType or (type(obj) is MethodType and isinstance(obj.__self__, str)):
            args = checked_call(obj, args, kwargs)
        elif type(obj) is MethodType:
            measure((args, kwargs))  # loop.changed compares what it is given
        return super().call(context, obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """`str.format` and `str.format_map`, sandboxed as in jinja2, with the widths bounded too."""
        if not isinstance(value, (MethodType, BuiltinMethodType)) or value.__name__ not in {"format", "format_map"}:
            return None
        text: object = value.__self__
        if not isinstance(text, str):
            return None
        vformat = (EscapeFormatter(self, escape=text.escape) if isinstance(text, Markup) else Formatter(self)).vformat

        def bounded_format(*args: Any, **kwargs: Any) -> str:
            if value.__name__ == "format_map":
                (kwargs,), args = args, ()
            spend(weight(text) * STEP)
            return type(text)(vformat(text, args, kwargs))

        return bounded_format


class _GenerationBlock(Extension):
    """`{% generation %}…{% endgeneration %}` marks what the model wrote; its body is rendered as it is."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it without ClassVar

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller: Callable[[], str]) -> str:
        return caller()


class _Namespace(Namespace):
    """jinja2's namespace without attributes that start with an underscore, as in transformers 5.22."""

    # No name for the first argument: a template may write `namespace(self=…)`.
    def __init__(*args: Any, **kwargs: Any) -> None:
        measure((args[1:], kwargs))
        attributes = dict(*args[1:], **kwargs)
        for name in attributes:
            _check_attribute(name)
        Namespace.__init__(args[0], attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_attribute(name)
        Namespace.__setitem__(self, name, value)


def _check_attribute(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace has no attribute {name!r} that a template may set")


class _Dict:
    """`dict(…)` and `dict.fromkeys(…)`, nothing else of the type."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        measure((args, kwargs))
        made: dict[Any, Any] = dict(*_listed(args), **kwargs)
        return made

    @staticmethod
    def fromkeys(keys: Any, value: Any = None, /) -> dict[Any, Any]:
        kept = check_keys(list(keys))
        spend(len(kept) * (STEP + measure(value)))
        return dict.fromkeys(kept, value)


def _listed(args: tuple[Any, ...]) -> list[list[tuple[Any, ...]]]:
    """The pairs that a dict is made of, their keys checked."""
    listed = [[tuple(pair) for pair in (arg.items() if hasattr(arg, "keys") else arg)] for arg in args]
    for pairs in listed:
        check_keys([pair[0] for pair in pairs if pair])
    return listed


def _counted(token: Any) -> Any:
    spend(_TOKEN)
    return token


def _raise_exception(message: object) -> None:
    raise TemplateRefused(str(message))


def _strftime_now(format: str) -> str:  # noqa: A002 - the name that templates may call it by
    if any(int(width) > _WIDEST_FIELD for width in _numbers(format)):
        raise too_costly("a date is padded to an absurd width")
    spend(weight(format) * STEP + format.count("%") * _WIDEST_FIELD)
    return (pinned_now() or datetime.now()).strftime(format)  # noqa: DTZ005 - transformers shows the local time


def _numbers(form: str) -> list[str]:
    return "".join(character if character in "0123456789" else " " for character in form).split()


def _lipsum(n: int = 5, html: bool = True, min: int = 20, max: int = 100) -> str:  # noqa: A002 - jinja2's own names
    spend(n * max * STEP)
    return generate_lorem_ipsum(n, html, min, max)
