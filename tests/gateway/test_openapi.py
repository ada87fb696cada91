"""The description of the API says what the app does, and no route goes without a word."""

import json
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from gateway_server import gateway, get
from hfgen.gateway.app import create_app
from hfgen.gateway.openapi import document
from hfgen.gateway.settings import Settings

pytestmark = pytest.mark.anyio
NO_API = {"/playground/{name}"}


def routes_of(app: Any) -> set[tuple[str, str]]:
    while not isinstance(app, Starlette):
        app = app._app
    routes = [route for route in app.routes if isinstance(route, Route)]
    named = {(route.path.replace(":path", ""), method) for route in routes for method in route.methods or ()}
    return {(path, method) for path, method in named if method != "HEAD" and path not in NO_API}


def test_every_route_is_described_and_nothing_else() -> None:
    described = {(path, method.upper()) for path, each in json.loads(document())["paths"].items() for method in each}
    assert described == routes_of(create_app()) - {("/", "GET")}  # the page


def test_requests_are_described_by_the_types_that_read_them() -> None:
    said = json.loads(document())
    chat = said["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = said["components"]["schemas"][chat["$ref"].rpartition("/")[2]]
    assert schema["required"] == ["messages"]
    assert {"continue_final_message", "prompt_inspect", "response_format"} <= schema["properties"].keys()


def test_every_reference_leads_somewhere() -> None:
    said = document().decode()
    names = {part.partition('"')[0] for part in said.split("#/components/schemas/")[1:]}
    assert names <= json.loads(said)["components"]["schemas"].keys()


async def test_it_is_served() -> None:
    async with gateway(Settings()) as url:
        status, answer = await get(f"{url}/openapi.json")
    assert (status, answer["openapi"]) == (200, "3.1.0")
