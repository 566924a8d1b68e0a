"""Caddy and Envoy in front that ask an authorizer about every request: this gateway by the recipes that are shipped, and
oauth2-proxy by what its documentation and theirs say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import yaml

from tests.bench.install import oauth2_proxy_version
from tests.bench.peers import envoy, gateway, oauth2_proxy, plain
from tests.bench.peers.peer import Client, Peer, Role
from tests.bench.stand import Process, Stand
from tests.fakes.front_proxies import FrontProxy
from tests.flows.front import Places, placed

_OPTIONS = {"caddy": "", "envoy": "", "envoy-grpc": ", grpc: {{listen: '127.0.0.1:{questions}'}}"}
_NAMES = {"caddy": "Caddy", "envoy": "Envoy", "envoy-grpc": "Envoy over gRPC"}
_TYPE = "type.googleapis.com/envoy.extensions.filters"
CADDYFILE = """
{{
  admin off
  auto_https off
  persist_config off
  storage file_system {home}
}}
http://localhost:{port} {{
  bind 127.0.0.1
  handle /oauth2/* {{
    reverse_proxy 127.0.0.1:{authorizer} {{
      header_up X-Real-IP {{remote_host}}
    }}
  }}
  handle {{
    forward_auth 127.0.0.1:{authorizer} {{
      uri /oauth2/auth
      header_up X-Real-IP {{remote_host}}
      copy_headers X-Auth-Request-User X-Auth-Request-Email
      @unauthorized status 401
      handle_response @unauthorized {{
        @navigation header Sec-Fetch-Mode navigate
        redir @navigation /oauth2/start?rd={{uri}}
        respond 401
      }}
    }}
    reverse_proxy 127.0.0.1:{files}
  }}
}}
"""


def line_up(stand: Stand) -> tuple[list[Client], list[tuple[str, Callable[[], Peer]]]]:
    """Each front with each authorizer."""
    clients: list[Client] = []
    starters: list[tuple[str, Callable[[], Peer]]] = []
    for caller in _NAMES:
        ours = gateway.client(stand.port(), f"gateway-asked-by-{caller}")
        clients.append(ours)
        starters.append((f"{caller} gateway asked", partial(gateway_asked, stand, ours, caller)))
    for caller in ("caddy", "envoy") if stand.tools.oauth2_proxy is not None else ():
        theirs = oauth2_proxy.client(stand.port(), f"oauth2-proxy-asked-by-{caller}")
        clients.append(theirs)
        starters.append((f"{caller} oauth2-proxy asked", partial(oauth2_proxy_asked, stand, theirs, caller)))
    return clients, starters


def gateway_asked(stand: Stand, client: Client, caller: str) -> Peer:
    """With the recipe that is shipped, but for its addresses and its access log."""
    listen, questions = stand.port(), stand.port()
    grpc = _OPTIONS[caller].format(questions=questions)
    kind = caller.removesuffix("-grpc")
    extra = f"trusted_proxies: [127.0.0.1/32]\nforward_auth: {{caller: {kind}{grpc}}}"
    home = gateway.make_home(stand, client)
    process, _ = gateway.run(stand, client, home, listen, extra=extra)
    at = Places(
        f"http://localhost:{client.port}",
        client.port,
        f"127.0.0.1:{listen}",
        f"127.0.0.1:{stand.files}",
        questions,
    )
    directory = stand.directory(f"front-{client.name}")
    front = placed(caller, directory, at)
    assert isinstance(front, FrontProxy)
    front.recipe.write_text(quiet(front.recipe.read_text(), kind))
    running = stand.start_proxy(*front.command(), HOME=str(directory))
    stand.wait(client.port, running)
    return Peer(
        f"{_NAMES[caller]} asking this gateway",
        _version(stand, kind),
        client.port,
        [running, process],
        Role.ASKED,
    )


def quiet(recipe: str, kind: str) -> str:
    """Without the access log, which no other front here has."""
    if kind == "caddy":
        begin = recipe.index("\tlog {\n")
        return recipe[:begin] + recipe[recipe.index("\n\t}\n", begin) + 4 :]
    document = yaml.safe_load(recipe)
    for listener in document["static_resources"]["listeners"]:
        for chain in listener["filter_chains"]:
            for filter_ in chain["filters"]:
                filter_["typed_config"].pop("access_log", None)
    return json.dumps(document)


def oauth2_proxy_asked(stand: Stand, client: Client, caller: str) -> Peer:
    listen = stand.port()
    upstreams = ("static://200",) if caller == "envoy" else ()
    process = oauth2_proxy.run(
        stand, client, listen, "--reverse-proxy=true", "--set-xauthrequest=true", upstreams=upstreams
    )
    front = (_caddy if caller == "caddy" else _envoy)(stand, client, listen)
    stand.wait(client.port, front)
    version = f"{oauth2_proxy_version()} behind {_version(stand, caller)}"
    return Peer(f"{_NAMES[caller]} asking oauth2-proxy", version, client.port, [front, process], Role.ASKED)


def _caddy(stand: Stand, client: Client, authorizer: int) -> Process:
    home = stand.directory(f"front-{client.name}")
    text = CADDYFILE.format(home=home, port=client.port, authorizer=authorizer, files=stand.files)
    (home / "Caddyfile").write_text(text)
    return stand.start_proxy(str(stand.tools.caddy), "run", "--config", home / "Caddyfile", HOME=str(home))


def _envoy(stand: Stand, client: Client, authorizer: int) -> Process:
    """`ext_authz` over HTTP; like the peer with its own filter in all else. Envoy has no word of its own for a sign-in, so
    oauth2-proxy is asked as if it served the page, and answers 200 itself.
    """
    asks = {
        "@type": f"{_TYPE}.http.ext_authz.v3.ExtAuthz",
        "http_service": {
            "server_uri": {"uri": f"http://127.0.0.1:{authorizer}", "cluster": "authorizer", "timeout": "5s"},
            "authorization_request": {"allowed_headers": {"patterns": [
                {"exact": "cookie"}, {"exact": "accept"}, {"prefix": "sec-fetch-"}, {"prefix": "x-forwarded-"},
            ]}},
            "authorization_response": {
                "allowed_upstream_headers": {"patterns": [{"prefix": "x-auth-request-"}]},
                "allowed_client_headers": {"patterns": [{"exact": "set-cookie"}, {"exact": "location"}]},
            },
        },
    }  # fmt: skip
    passes = {"envoy.filters.http.ext_authz": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute", "disabled": True,
    }}  # fmt: skip
    routes: envoy.Parts = [
        {
            "match": {"prefix": "/oauth2/"},
            "route": {"cluster": "authorizer"},
            "typed_per_filter_config": passes,
        },
        {"match": {"prefix": "/"}, "route": {"cluster": "files"}},
    ]
    filters = [{"name": "envoy.filters.http.ext_authz", "typed_config": asks}]
    clusters = [envoy.cluster("files", stand.files), envoy.cluster("authorizer", authorizer)]
    config = stand.directory(f"front-{client.name}") / "envoy.json"
    config.write_text(json.dumps(envoy.bootstrap(client.port, routes, filters, clusters)))
    return stand.start_proxy(*envoy.command(stand, config))


def _version(stand: Stand, kind: str) -> str:
    return envoy.version(stand) if kind == "envoy" else plain.caddy_version(stand)
