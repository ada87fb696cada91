"""Where a request goes, as the gateway's own routes name it."""

from starlette.types import Scope


def own_path(scope: Scope) -> str:
    """The path as seen from where the gateway is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
