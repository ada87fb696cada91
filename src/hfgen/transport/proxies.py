"""Which proxy a request goes through: the one given, else what the environment names; none to this very machine."""

import ipaddress
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

from hfgen.errors import UsageError
from hfgen.redaction import conceal

_HTTP: Final = ("http", "https")
_SOCKS: Final = ("socks4", "socks5", "socks5h")


def checked_proxy(proxy: str | None) -> str | None:
    """A proxy's URL as `Session` was given it.

    Raises:
        UsageError: It is none.
    """
    if proxy is None or not proxy.strip():
        return None
    return _checked(proxy.strip(), "proxy=")


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` …), or None.

    Raises:
        UsageError: What it names is no proxy: going without would show the user's address where it was to be hidden.
    """
    parts = urlsplit(url)
    if _is_loopback(parts.hostname or ""):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - slow to import, and not for the loopback

    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return _checked(proxy if "://" in proxy else f"http://{proxy}", "a *_PROXY variable")


def is_socks(proxy: str) -> bool:
    """Whether it takes the package for SOCKS."""
    return urlsplit(proxy).scheme in _SOCKS


def _checked(proxy: str, where: str) -> str:
    try:
        parts = urlsplit(proxy)
        known = parts.scheme in (*_HTTP, *_SOCKS) and bool(parts.hostname) and parts.port != 0
        password, scheme = parts.password, parts.scheme
    except ValueError:
        known, password, scheme = False, None, ""
    if not known:
        raise UsageError(
            f"{where} is no URL of a proxy", hint="Give one such as http://host:3128 or socks5://host:1080."
        )
    if password:
        conceal(password)
        conceal(unquote(password))
    # python-socks knows no socks5h; it lets the proxy resolve names in any case
    return f"socks5://{proxy.partition('://')[2]}" if scheme == "socks5h" else proxy


@lru_cache(maxsize=256)
def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
