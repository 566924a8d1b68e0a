"""Who takes part: the provider knows all of them before anybody starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from tests.bench.peers import (
    apache,
    asking,
    envoy,
    equal_work,
    forward_auth,
    gateway,
    naive,
    oauth2_proxy,
    plain,
)
from tests.bench.peers.peer import Client, Peer, Role
from tests.bench.stand import Stand

Starter = Callable[[], Peer]

OURS, LOUD = "this gateway, access log off", "this gateway, access log on"
ONE, TWO, APART = "this gateway, 1 worker", "this gateway, 2 workers", "this gateway twice, 1 worker each"
RESTING = "this gateway, at rest"


def start(stand: Stand, *, quick: bool, only: list[str], roles: frozenset[Role]) -> list[Peer]:
    """Start the provider, nginx, and every peer of one of the roles whose name contains one of ``only``."""
    clients, starters = gateways(stand)
    if not quick:
        more_clients, more = others(stand)
        clients, starters = clients + more_clients, more + starters
    provider(stand, clients)
    wanted = [
        make
        for name, role, make in starters
        if role in roles and (not only or any(part in name for part in only))
    ]
    return [plain.nginx(stand), *(make() for make in wanted)]


def gateways(stand: Stand) -> tuple[list[Client], list[tuple[str, Role, Starter]]]:
    """This gateway several times, for what each is measured for."""
    clients: list[Client] = []
    starters: list[tuple[str, Role, Starter]] = []

    def add(name: str, role: Role, make: Callable[..., Peer] = gateway.start, **how: object) -> None:
        client = gateway.client(stand.port(), f"gateway-{len(clients)}")
        clients.append(client)
        starters.append((name, role, partial(make, stand, client, name, role, **how)))

    add(OURS, Role.GATED)
    add(LOUD, Role.LOGGING, access=True)
    add(ONE, Role.WORKERS)
    add(TWO, Role.WORKERS, workers=2)
    add(APART, Role.WORKERS, gateway.start_apart)
    add(RESTING, Role.RESTING)
    return clients, starters


def others(stand: Stand) -> tuple[list[Client], list[tuple[str, Role, Starter]]]:
    filter_ = envoy.client(stand.port())
    cookie, cache = (apache.client(stand.port(), kind) for kind in ("client-cookie", "server-cache"))
    afternoon = naive.client(stand.port())
    clients = [filter_, cookie, cache, afternoon]
    starters: list[tuple[str, Role, Starter]] = [
        ("caddy", Role.PLAIN, lambda: plain.caddy(stand)),
        ("envoy", Role.GATED, lambda: envoy.start(stand, filter_)),
        ("apache mod_auth_openidc client-cookie", Role.GATED, lambda: apache.start(stand, cookie)),
        ("apache mod_auth_openidc server-cache", Role.GATED, lambda: apache.start(stand, cache)),
        ("naive", Role.GATED, lambda: naive.start(stand, afternoon)),
    ]
    if stand.tools.oauth2_proxy is not None:
        proxy = oauth2_proxy.client(stand.port())
        clients.append(proxy)
        starters.append(("oauth2-proxy", Role.GATED, lambda: oauth2_proxy.start(stand, proxy)))
    for front in (forward_auth, asking, equal_work):
        more_clients, more = front.line_up(stand)
        clients += more_clients
        starters += [(name, Role.ASKED, make) for name, make in more]
    return clients, starters


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
    process = stand.start_beside(stand.tools.node, stand.tools.provider, str(stand.idp), str(path))
    stand.wait(stand.idp, process)
