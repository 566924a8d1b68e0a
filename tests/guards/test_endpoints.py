"""`docs/endpoints.md` has each endpoint of the program with its methods, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gateway.app.endpoints import own_paths
from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.demo import configuration
from gateway.demo.options import DemoOptions
from gateway.web.admin import AdminApi, AdminOptions
from gateway.web.probes import Readiness, probe_application
from tests.fakes.configured import with_inbound

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([^|]+) \| `(/[^`]*)` \| ([^|]+) \|$", re.MULTILINE)
SECRET = "a-secret-that-is-long-enough"
ORG = "https://example.okta.com"
EVERYTHING = f"""\
forward_auth: {{caller: nginx}}
trusted_proxies: [127.0.0.1/32]
inbound:
  backchannel: true
  frontchannel: true
  universal_logout: {{issuer: {ORG}, subject: 0oa, jwks_uri: {ORG}/keys}}
  security_events: {{issuer: {ORG}, audience: a, jwks_uri: {ORG}/keys}}
  okta_event_hook: {{secret: {SECRET}}}
"""


def documented() -> dict[str, set[str]]:
    """Path to methods."""
    text = (ROOT / "docs" / "endpoints.md").read_text("utf-8")
    found = {
        path: set(re.findall(r"[A-Z]+|any", methods)) - {"HEAD"} for methods, path, _ in ROW.findall(text)
    }
    assert len(found) == len(ROW.findall(text)), "each path once"
    return found


def served(directory: Path) -> dict[str, set[str]]:
    """What a gateway answers with everything on; a hop's name is left out."""
    path = configuration.write(directory, DemoOptions(), api="127.0.0.1:1")
    text = with_inbound(path.read_text(), EVERYTHING)
    key = "key_files: [session-key]\n"
    assert key in text
    path.write_text(text.replace(key, f"{key}  activity: input\n  idle: 12h\n"))
    gateway: Any = Gateway(load(path, {}))
    gateway.events.receipts = gateway.assertions = SimpleNamespace()
    table = own_paths(gateway)
    found: dict[str, set[str]] = {}
    for own, methods in table._exact.items():
        assert ("GET" in methods) == ("HEAD" in methods), own
        name = re.sub(r"(/logout/done/)[^/]+", r"\1NAME", own)
        found.setdefault(name, set()).update(set(methods) - {"HEAD"})
    assert table._below is not None
    return found | {table._below[0]: {"any"}}


def operators() -> dict[str, set[str]]:
    """What the other listeners answer."""
    probes = probe_application(lambda: Readiness(True, True), lambda: b"")
    found = {
        resource.canonical: {route.method for route in resource} - {"HEAD"}
        for resource in probes.router.resources()
    }
    nothing: Any = None
    api = AdminApi(
        AdminOptions(None, "", 0, 0), log=nothing, revoker=nothing, events=nothing, sign_ins=nothing
    )
    return found | {path: set(methods) for path, methods in api._table.items()}


async def test_each_endpoint_is_documented_with_its_methods(tmp_path: Path) -> None:
    """And what is documented is there: the list is the program's own, of every listener."""
    assert documented() == served(tmp_path) | operators()
