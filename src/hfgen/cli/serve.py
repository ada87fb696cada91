"""`hfgen serve`: the gateway."""

import click


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--api-base", multiple=True, help="A server of your own that answers; several stand in for each other.")
@click.option("-m", "--model", default="", help="Answers a request that names no model.")
def command(host: str, port: int, api_base: tuple[str, ...], model: str) -> None:
    """Serve the API of OpenAI, for any client that speaks it."""
    from hfgen.gateway.server import serve  # noqa: PLC0415 - brings the web server along
    from hfgen.gateway.settings import Settings  # noqa: PLC0415

    serve(Settings(model=model, api_base=api_base), host, port)
