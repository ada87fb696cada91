"""`hfgen serve`: the app on uvicorn."""

import uvicorn

from hfgen.gateway.app import create_app
from hfgen.gateway.settings import Settings


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until a signal ends it."""
    uvicorn.Server(uvicorn.Config(create_app(settings), host=host, port=port, log_config=None)).run()
