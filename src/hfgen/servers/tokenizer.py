"""What a server's own tokenizer does, asked of the server: the BOS, the tokens of a text, a rendered conversation.

Sources: TGI router/src/server.rs (`/tokenize`, `/chat_tokenize`); llama.cpp tools/server/README.md (`/tokenize`); vLLM
entrypoints/serve/tokenize (`/tokenizer_info`, there only with --enable-tokenizer-info-endpoint).
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from hfgen.errors import HfgenError
from hfgen.facts import ModelFacts
from hfgen.hub.memory import Memory, fingerprint
from hfgen.limits import Limits
from hfgen.messages import Messages
from hfgen.tokenizer_config import special_tokens_of, templates_of
from hfgen.transport.session import Session
from hfgen.wire import Target, WireRequest

T = TypeVar("T")

_LIMITS: Final = Limits(connect=3.0, first_token=3.0, idle=3.0)
_LARGEST: Final = 16 * 2**20
_LIFETIME: Final = 600.0
_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}

_ADDS_BOS: Final[Memory[tuple[str, str, str], tuple[bool | None]]] = Memory(256, lambda _: _LIFETIME)


class _TgiToken(msgspec.Struct):
    id: int
    start: int
    stop: int
    text: str = ""


class _TgiChat(msgspec.Struct):
    templated_text: str
    tokenize_response: list[_TgiToken]


class _Piece(msgspec.Struct):
    id: int
    piece: str | list[int]


class _Pieces(msgspec.Struct):
    tokens: list[_Piece]


async def adds_bos(session: Session, target: Target, bos: str) -> bool | None:
    """Whether the server puts the BOS in front of a raw text; None where it cannot be asked.

    Args:
        session: The network.
        target: The server's root.
        bos: The model's BOS.
    """
    key = (target.base, bos, fingerprint(target.token))
    (answer,) = await _ADDS_BOS.get(key, lambda: _ask_bos(session, target, bos))
    return answer


def forget_tokenizer(base: str) -> None:
    """Forget what the server's tokenizer does; `base` is its root, or an address below it."""
    for key in _ADDS_BOS.known():
        if f"{base}/".startswith(f"{key[0]}/"):
            _ADDS_BOS.forget(key)


async def plain_tokens(session: Session, target: Target, text: str) -> list[tuple[int, bytes]] | None:
    """The tokens of a text as its writer spelt it, each with its number and bytes; None where nobody tells.

    llama.cpp is asked not to read special tokens; a build that does so all the same shows it by the bytes.
    """
    if target.kind != "llamacpp":
        return None
    body = {"content": text, "add_special": False, "parse_special": False, "with_pieces": True}
    said = await _ask(session, target, "/tokenize", body, _Pieces)
    return None if said is None else [(token.id, _bytes(token.piece)) for token in said.tokens]


def _bytes(piece: str | list[int]) -> bytes:
    """Of a piece that is no text by itself llama.cpp lists the bytes."""
    return piece.encode() if isinstance(piece, str) else bytes(byte & 0xFF for byte in piece)


async def template_of(session: Session, target: Target) -> ModelFacts | None:
    """The template and tokens that vLLM shows of its tokenizer; None where it shows none."""
    config = await _ask(session, target, "/tokenizer_info", None, dict[str, Any])
    templates = templates_of(config.get("chat_template")) if config else {}
    if not config or not templates:
        return None
    return ModelFacts(
        id=target.model,
        special_tokens=special_tokens_of(config),
        templates=templates,
        template_source=f"{target.name} (/tokenizer_info)",
    )


async def rendered_by(session: Session, target: Target, messages: Messages) -> str | None:
    """The prompt that TGI's own template makes, without the BOS that its tokenizer adds; None where it shows none.

    Which token that is, TGI does not name: it is the one without a width in front of any text.
    """
    chat = await _ask(session, target, "/chat_tokenize", {"model": target.model, "messages": messages}, _TgiChat)
    if chat is None:
        return None
    plain = await _ask(session, target, "/tokenize", {"inputs": "a"}, list[_TgiToken])
    added = plain[0].id if plain and plain[0].stop == 0 else None
    first = next((token for token in chat.tokenize_response if token.stop > 0), None)
    return chat.templated_text.removeprefix(first.text) if first and first.id == added else chat.templated_text


async def _ask_bos(session: Session, target: Target, bos: str) -> tuple[bool | None]:
    match target.kind:
        case "tgi":  # a token of no width in front of the text is one that was added
            tokens = await _ask(session, target, "/tokenize", {"inputs": "a"}, list[_TgiToken])
            return (tokens[0].start == tokens[0].stop == 0 if tokens else None,)
        case "llamacpp":
            body = {"content": "", "add_special": True, "with_pieces": True}
            pieces = await _ask(session, target, "/tokenize", body, _Pieces)
            return (None if pieces is None else any(piece.piece == bos for piece in pieces.tokens[:1]),)
        case _:
            return (None,)


async def _ask(session: Session, target: Target, path: str, body: Mapping[str, Any] | None, kind: type[T]) -> T | None:
    """The answer of a route that not every server has; None for anything but such an answer."""
    data = None if body is None else msgspec.json.encode(body)
    request = WireRequest(target.base + path, data, method="GET" if body is None else "POST", headers=_JSON)
    try:
        return msgspec.json.decode((await session.fetch(request, target, _LIMITS, _LARGEST)).data, type=kind)
    except (HfgenError, msgspec.DecodeError, UnicodeDecodeError):
        return None
