"""The host that nginx serves is the host that the gateway decides on, however a request names it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.pieces import put
from tests.flows.front import Front, fronted, signed_in

SERVER = re.compile(r"\nserver \{\n    # For TLS here.*?\n\}\n", re.DOTALL)
OTHER = "other.localhost"


def two_servers(recipe: str) -> str:
    """A second application beside the first one, of which the gateway knows nothing."""
    block = SERVER.search(recipe)
    assert block is not None
    return recipe + block[0].replace("server_name app.example.com", f"server_name {OTHER}")


def one_server(recipe: str) -> str:
    """The application's server is that of requests without a Host."""
    nobody = "server {\n    listen 80 default_server;\n    return 421;\n}\n"
    return put(recipe, {nobody: "", "    listen 80;": "    listen 80 default_server;"})


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with fronted(tmp_path, two_servers) as running:
        yield running


async def test_r07_whatever_nginx_serves_is_what_is_decided_on(front: Front) -> None:
    """A whole address in the request line wins over Host, in nginx and in the question; the application hears it too."""
    browser = front.stand.browser()
    await signed_in(front, browser)
    cookie = f"Cookie: {browser.cookie_header(front.app)}\nConnection: close\n\n"
    here, port = front.host, front.host.rpartition(":")[2]
    elsewhere = f"{OTHER}:{port}"
    allowed = {
        "origin form": f"GET /x HTTP/1.1\nHost: {here}\n",
        "in capitals": f"GET /x HTTP/1.1\nHost: {here.upper()}\n",
        "absolute form": f"GET http://{here}/x HTTP/1.1\nHost: {here}\n",
        "absolute form with another Host": f"GET http://{here}/x HTTP/1.1\nHost: {elsewhere}\n",
        "absolute form with an unknown Host": f"GET http://{here}/x HTTP/1.1\nHost: evil.test\n",
        "absolute form without Host": f"GET http://{here}/x HTTP/1.0\n",
        "absolute form in capitals": f"GET HTTP://{here.upper()}/x HTTP/1.1\nHost: evil.test\n",
        "absolute form with an address behind": f"GET http://{here}/x?to=http://{elsewhere}/ HTTP/1.1\nHost: {here}\n",
    }
    for what, request in allowed.items():
        before = len(front.application.calls)
        answer = await front.raw(request + cookie)
        assert answer.startswith(b"HTTP/1.1 200 "), (what, answer)
        assert len(front.application.calls) == before + 1
        assert front.told("Host") == front.told("X-Forwarded-Host"), what
        assert front.told("Host")[0].lower() == here, what
    refused = {
        "another server": f"GET /x HTTP/1.1\nHost: {elsewhere}\n",
        "another server's address with our Host": f"GET http://{elsewhere}/x HTTP/1.1\nHost: {here}\n",
        "without a port": f"GET http://{OTHER}/x HTTP/1.1\nHost: {here}\n",
        "with our address behind": f"GET http://{elsewhere}/http://{here}/ HTTP/1.1\nHost: {here}\n",
        "our name without its port": f"GET http://{here.partition(':')[0]}/x HTTP/1.1\nHost: {elsewhere}\n",
        "our name with another port": f"GET http://{here}1/x HTTP/1.1\nHost: {here}\n",
    }
    before = len(front.application.calls)
    for what, request in refused.items():
        assert (await front.raw(request + cookie)).startswith(b"HTTP/1.1 403 "), what
    assert len(front.application.calls) == before


async def test_a_request_without_http_host_is_for_the_name_of_its_server(tmp_path: Path) -> None:
    """As HTTP/3 has it: no $http_host, and the name in $host; the port is the listener's."""
    async with fronted(tmp_path, one_server) as front:
        browser = front.stand.browser()
        await signed_in(front, browser)
        cookie = f"Cookie: {browser.cookie_header(front.app)}\n\n"
        assert (await front.raw(f"GET /x HTTP/1.0\n{cookie}")).startswith(b"HTTP/1.1 200 ")
        assert front.told("Host") == [front.host]
        assert (await front.raw("GET /x HTTP/1.0\n\n")).startswith(b"HTTP/1.1 401 ")
