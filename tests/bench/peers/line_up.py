"""Who takes part: the provider knows all of them before anybody starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

from tests.bench.peers import apache, envoy, forward_auth, gateway, naive, oauth2_proxy, plain
from tests.bench.peers.peer import Client, Peer
from tests.bench.stand import LOAD_CORE, Stand

Starter = Callable[[], Peer]


def start(stand: Stand, *, quick: bool, only: list[str]) -> list[Peer]:
    """Start the provider, nginx, and every peer whose name contains one of ``only`` (all when empty)."""
    clients, starters = gateways(stand)
    if not quick:
        more_clients, more = others(stand)
        clients, starters = clients + more_clients, more + starters
    provider(stand, clients)
    wanted = [make for name, make in starters if not only or any(part in name for part in only)]
    return [plain.nginx(stand), *(make() for make in wanted)]


def gateways(stand: Stand) -> tuple[list[Client], list[tuple[str, Starter]]]:
    quiet, loud = (gateway.client(stand.port(), name) for name in ("gateway-quiet", "gateway-loud"))
    return [quiet, loud], [
        ("gateway", lambda: gateway.start(stand, quiet, access=False)),
        ("gateway", lambda: gateway.start(stand, loud, access=True)),
    ]


def others(stand: Stand) -> tuple[list[Client], list[tuple[str, Starter]]]:
    filter_ = envoy.client(stand.port())
    cookie, cache = (apache.client(stand.port(), kind) for kind in ("client-cookie", "server-cache"))
    afternoon = naive.client(stand.port())
    clients = [filter_, cookie, cache, afternoon]
    starters: list[tuple[str, Starter]] = [
        ("caddy", lambda: plain.caddy(stand)),
        ("envoy", lambda: envoy.start(stand, filter_)),
        ("apache mod_auth_openidc", lambda: apache.start(stand, cookie)),
        ("apache mod_auth_openidc", lambda: apache.start(stand, cache)),
        ("naive", lambda: naive.start(stand, afternoon)),
    ]
    if stand.tools.oauth2_proxy is not None:
        proxy = oauth2_proxy.client(stand.port())
        clients.append(proxy)
        starters.append(("oauth2-proxy", lambda: oauth2_proxy.start(stand, proxy)))
    more_clients, more = forward_auth.line_up(stand)
    return clients + more_clients, starters + more


def provider(stand: Stand, clients: list[Client]) -> None:
    """The certified provider, with every peer as a client."""
    known = [
        {
            **asdict(each),
            "client_id": each.name,
            "client_secret": each.secret,
            "redirect_uri": each.redirect_uri,
        }
        for each in clients
    ]
    path = stand.work / "clients.json"
    path.write_text(json.dumps(known))
    process = stand.start(LOAD_CORE, stand.tools.node, stand.tools.provider, str(stand.idp), str(path))
    stand.wait(stand.idp, process)
