"""`hfgen serve`: the gateway."""

import ipaddress
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from hfgen.cli.callers_keys import callers_keys
from hfgen.cli.terminal import aside
from hfgen.errors import UsageError

_NEEDED: Final = ("starlette", "uvicorn", "httptools", "prometheus_client", "python_multipart")
# \b is click's mark, the character itself: the paragraph after it keeps its lines.
_HELP: Final = """\
Serve the API of OpenAI for any client that speaks it, and a page to try it out.

\b
hfgen serve                                    on 127.0.0.1:8000, the local model and what your token reaches
hfgen serve --api-base http://127.0.0.1:8080   in front of a server of yours
OPENAI_BASE_URL=http://127.0.0.1:8000/v1       is what most clients then need

Models get names, with routes that stand in for each other, in the file of --config or HFGEN_CONFIG; [server] in it
holds any of these flags. What the command line says wins. A hfgen.toml that merely lies in this folder is read too, but
may not say where prompts and tokens go, nor who may call.

On any other address than this machine's own it asks for an API key: HFGEN_API_KEY, several with commas between, or
--api-key-file. In place of a key its digest may stand, `sha256:` and what `printf %s KEY | sha256sum` prints.
HFGEN_UPSTREAM_KEY is the key of the server behind, or the Hugging Face token where that is not HF_TOKEN.
SIGTERM lets running answers come to their end, for --drain seconds at most.
"""


def _read_config(context: click.Context, _param: click.Parameter, given: str | None) -> Mapping[str, tuple[str, ...]]:
    """The names in the file; its settings become the flags' defaults, so that what is typed wins."""
    from hfgen.gateway.config import check_unnamed, find, here, load  # noqa: PLC0415 - for this command only

    named = find(given)
    file = named or here()
    if file is None or context.resilient_parsing:  # which is how a shell completes
        return {}
    flags = {opt[2:]: param for param in context.command.params for opt in param.opts if opt.startswith("--")}
    config = load(file, flags.keys() - {"config", "help"})
    if named is None:
        check_unnamed(file, config)
    aside(f"settings are from {file.absolute()}")
    context.default_map = {str(flags[name].name): _several(flags[name], said) for name, said in config.server.items()}
    return config.names


def _several(param: click.Parameter, said: Any) -> Any:
    """One value may stand for a list of one."""
    return [said] if getattr(param, "multiple", False) and isinstance(said, str) else said


@click.command("serve", help=_HELP)
@click.option(
    "--config",
    "names",
    is_eager=True,
    callback=_read_config,
    type=click.Path(dir_okay=False),
    help="A file of settings and of names for models; else HFGEN_CONFIG, else ./hfgen.toml.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("-m", "--model", default="", help="Answers a request that names no model.")
@click.option("--api-base", multiple=True, help="A server of your own that answers; several stand in for each other.")
@click.option("--api-key", "keys", multiple=True, help="A key that callers must bring; `ps` shows it to others here.")
@click.option("--api-key-file", type=click.Path(path_type=Path), help="Holds keys, or their digests, one a line.")
@click.option("--allow-host", "hosts", multiple=True, help="A name that this gateway is called by.")
@click.option("--public-url", default="", help="Where callers reach it behind a proxy, such as https://ai.example.com.")
@click.option("--allow-origin", "origins", multiple=True, help="A web page's origin that may call (CORS).")
@click.option("--pass-through-token", is_flag=True, help="Callers bring Hugging Face tokens of their own.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes on the port.")
@click.option("--max-tokens", type=click.IntRange(1), help="The longest answer.")
@click.option("--max-streams", type=click.IntRange(1), help="Answers at once, for each key.")
@click.option("--rpm", type=click.IntRange(1), help="Requests a minute, for each key.")
@click.option("--image-urls", is_flag=True, help="Pictures may be named by address; the server behind opens it.")
@click.option(
    "--shared-limits", default="", envvar="HFGEN_SHARED_LIMITS", help="A Redis that several gateways count in."
)
@click.option(
    "--timeout",
    default=600.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Seconds of silence after which the server behind is asked again.",
)
@click.option(
    "--batches",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of files and batches; else one of your own state, for each port. `-` for none.",
)
@click.option("--drain", default=30.0, show_default=True, type=click.FloatRange(1), help="Seconds after SIGTERM.")
def command(host: str, port: int, workers: int, **given: Any) -> None:
    """Check what was asked, say where the gateway is, and serve."""
    _check_installed()
    from hfgen.gateway.app import create_app  # noqa: PLC0415 - brings the web server along
    from hfgen.gateway.server import listen, serve  # noqa: PLC0415
    from hfgen.gateway.workers import serve_many  # noqa: PLC0415

    chosen = _settings(host, {**given, "port": port})
    listener = listen(host, port, shared=workers > 1)
    where = f"the gateway is at http://{_shown(host)}:{listener.getsockname()[1]}/v1"
    if workers > 1:
        told = serve_many(chosen, host, listener, workers, lambda: aside(where))
        raise SystemExit(128 + told)
    app = create_app(chosen)
    aside(where)
    serve(app, chosen, listener)


def _settings(host: str, given: dict[str, Any]) -> Any:
    from hfgen.gateway.settings import Limits, Settings  # noqa: PLC0415 - as above
    from hfgen.limits import Limits as Patience  # noqa: PLC0415

    keys = callers_keys(given["keys"], given["api_key_file"])
    public = not _is_loopback(host)
    if public and not keys and not given["pass_through_token"]:
        raise UsageError(
            f"{host} can be reached by others, and no API key is set",
            hint="Set HFGEN_API_KEY or --api-key-file, or listen on 127.0.0.1.",
        )
    return Settings(
        model=given["model"],
        api_base=given["api_base"],
        names=given["names"],
        upstream_key=os.environ.get("HFGEN_UPSTREAM_KEY") or None,
        keys=keys,
        hosts=(*given["hosts"], *_named(host), *_host_in(given["public_url"])),
        public_url=given["public_url"],
        public=public,
        origins=tuple(origin.rstrip("/").lower() for origin in given["origins"]),
        pass_through_token=given["pass_through_token"],
        image_urls=given["image_urls"],
        limits=Limits(max_tokens=given["max_tokens"], streams=given["max_streams"], per_minute=given["rpm"]),
        patience=Patience.of(given["timeout"]),
        shared_limits=given["shared_limits"],
        drain=given["drain"],
        batches=_batches(given["batches"], given["port"]),
    )


def _batches(folder: Path | None, port: int) -> Path | None:
    """Where batches are kept; nowhere unless told where each start has another port.

    Each port has a folder of its own: another gateway may have other models behind it.
    """
    if folder is not None:
        return None if str(folder) == "-" else folder
    if port == 0:
        return None
    state = os.environ.get("STATE_DIRECTORY") or os.environ.get("XDG_STATE_HOME")  # systemd's, else freedesktop.org's
    home = Path(state) if state else Path.home() / ".local" / "state"
    return home / "hfgen" / f"gateway-{port}"


def _named(host: str) -> tuple[str, ...]:
    """The name or address that callers of the gateway will use; 0.0.0.0 and :: are every address, and nobody's name."""
    return () if host in ("", "0.0.0.0", "::") else (_shown(host),)  # noqa: S104 - nothing is bound here


def _host_in(url: str) -> tuple[str, ...]:
    """The host of a public address, which callers then say.

    Raises:
        UsageError: It is no address.
    """
    if not url:
        return ()
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") and not parts.query else None
    except ValueError:
        host = None
    if not host:
        raise UsageError(f"--public-url={url!r} is no address", hint="Such as https://ai.example.com.")
    return (_shown(host),)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _check_installed() -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(f"the gateway needs {', '.join(missing)}", hint="pip install 'hfgen[gateway]'")
