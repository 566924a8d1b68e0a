"""Envoy with its oauth2 filter: the whole session is in signed and encrypted cookies."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.peers.peer import Client, Peer, Role
from tests.bench.stand import Stand

ENVOY = "Envoy, oauth2 filter"
LIMITS = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
Parts = Sequence[Mapping[str, object]]
_TYPE = "type.googleapis.com/envoy.extensions.filters"


def client(port: int) -> Client:
    return Client("envoy", port, "/callback", auth="client_secret_post")


def start(stand: Stand, client: Client) -> Peer:
    config = stand.directory("envoy") / "envoy.json"
    config.write_text(json.dumps(signing_in(stand, client)))
    process = stand.start_proxy(*command(stand, config))
    stand.wait(client.port, process)
    return Peer(ENVOY, version(stand), client.port, [process], Role.GATED)


def command(stand: Stand, config: Path) -> list[str | Path]:
    return [
        str(stand.tools.envoy),
        "-c",
        config,
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "-l",
        "error",
    ]


def version(stand: Stand) -> str:
    said = subprocess.run(
        [str(stand.tools.envoy), "--version"], capture_output=True, text=True, check=True
    ).stdout
    return str(said.split("/")[-4])


def signing_in(stand: Stand, client: Client) -> Mapping[str, object]:
    """The oauth2 filter before three clusters."""
    routes = [
        {"match": {"prefix": "/live/"}, "route": {"cluster": "live"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "files"}},
    ]
    filters = [{"name": "envoy.filters.http.oauth2", "typed_config": oauth2(stand, client)}]
    clusters = [cluster("files", stand.files), cluster("live", stand.live), cluster("idp", stand.idp)]
    hmac = base64.b64encode(b"a benchmark keeps no secrets 012").decode()
    secrets = [
        {"name": "token", "generic_secret": {"secret": {"inline_string": client.secret}}},
        {"name": "hmac", "generic_secret": {"secret": {"inline_bytes": hmac}}},
    ]
    return bootstrap(client.port, routes, filters, clusters, secrets)


def bootstrap(
    port: int, routes: Parts, filters: Parts, clusters: Parts, secrets: Parts = ()
) -> Mapping[str, object]:
    """Envoy's configuration: one listener, the filters before the router.

    What its FAQ says of benchmarks is followed (no request ids, dynamic statistics or circuit breaking, one worker for
    one core), and of what it says of an edge proxy the client's address; its advice on small buffers would slow it.
    """
    manager = {
        "@type": f"{_TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": "HTTP1",
        "use_remote_address": True,
        "generate_request_id": False,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [*routes]}]},
        "http_filters": [
            *filters,
            {"name": "envoy.filters.http.router", "typed_config": {
                "@type": f"{_TYPE}.http.router.v3.Router", "dynamic_stats": False,
            }},
        ],
    }  # fmt: skip
    listener = {
        "name": "in",
        "address": address(port),
        "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ]}],
    }  # fmt: skip
    return {"static_resources": {"secrets": [*secrets], "listeners": [listener], "clusters": [*clusters]}}


def oauth2(stand: Stand, client: Client) -> dict[str, object]:
    return {
        "@type": f"{_TYPE}.http.oauth2.v3.OAuth2",
        "config": {
            "token_endpoint": {"cluster": "idp", "uri": f"{stand.issuer}/token", "timeout": "5s"},
            "authorization_endpoint": f"{stand.issuer}/auth",
            "redirect_uri": client.redirect_uri,
            "redirect_path_matcher": {"path": {"exact": client.callback}},
            "signout_path": {"path": {"exact": "/signout"}},
            "credentials": {
                "client_id": client.name,
                "token_secret": {"name": "token"},
                "hmac_secret": {"name": "hmac"},
            },
            "auth_scopes": ["openid", "email", "profile"],
            "forward_bearer_token": True,
            "deny_redirect_matcher": [{"name": "sec-fetch-mode", "string_match": {"exact": "cors"}}],
        },
    }


def address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def cluster(name: str, port: int) -> dict[str, object]:
    endpoint = {"endpoint": {"address": address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "circuit_breakers": {"thresholds": [dict.fromkeys(LIMITS, 1000000)]},
    }
