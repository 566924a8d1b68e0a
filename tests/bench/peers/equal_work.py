"""oauth2-proxy asked by the recipes that are shipped for this gateway: the proxy in front does the same work for either.

What the documentation of oauth2-proxy says for each proxy does less: it takes nothing out of the request, and leaves
cookies and caching alone. Here only what is oauth2-proxy's own is put in: its cookies, its sign-in, its questions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.bench.install import oauth2_proxy_version
from tests.bench.peers import envoy, forward_auth, oauth2_proxy, plain
from tests.bench.peers.asking import quiet
from tests.bench.peers.peer import Client, Peer, Role
from tests.bench.stand import Process, Stand
from tests.fakes.front_proxies import FrontProxy
from tests.fakes.pieces import put
from tests.flows.front import Places, placed

BY_OURS = "oauth2-proxy by our recipe"
_PIECES = {
    "nginx": {
        "__Host-session": "_oauth2_proxy",
        "if ($gateway_login) {": "if ($http_sec_fetch_mode = navigate) {",
        "return 302 $gateway_login;": "return 302 /oauth2/start?rd=$request_uri;",
    },
    "Caddy": {
        "__Host-session": "_oauth2_proxy",
        "X-Auth-Request-Groups X-Auth-Request-Preferred-Username": """X-Auth-Request-Groups X-Auth-Request-Preferred-Username
				@unauthorized status 401
				handle_response @unauthorized {
					@navigation header Sec-Fetch-Mode navigate
					redir @navigation /oauth2/start?rd={uri}
					respond 401
				}""",
    },
    "Envoy": {'plain == "__Host-session"': 'plain == "_oauth2_proxy"', "path_prefix: /oauth2/auth": ""},
}  # fmt: skip


def line_up(stand: Stand) -> tuple[list[Client], list[tuple[str, Callable[[], Peer]]]]:
    """Each front that is measured with either authorizer."""
    if stand.tools.oauth2_proxy is None:
        return [], []
    clients = [oauth2_proxy.client(stand.port(), f"oauth2-proxy-by-ours-{front}") for front in _PIECES]
    fronts = zip(_PIECES, clients, strict=True)
    return clients, [
        (f"{front} {BY_OURS} asked", partial(asked, stand, each, front)) for front, each in fronts
    ]


def asked(stand: Stand, client: Client, front: str) -> Peer:
    listen = stand.port()
    # Envoy has no word of its own for a sign-in: oauth2-proxy is asked as if it served the page, and answers 200 itself.
    upstreams = ("static://200",) if front == "Envoy" else ()
    process = oauth2_proxy.run(
        stand, client, listen, "--reverse-proxy=true", "--set-xauthrequest=true", upstreams=upstreams
    )
    running = (_nginx if front == "nginx" else _placed)(stand, client, listen, front)
    versions: dict[str, Callable[[], str]] = {
        "nginx": plain.nginx_version,
        "Caddy": partial(plain.caddy_version, stand),
        "Envoy": partial(envoy.version, stand),
    }
    behind = versions[front]()
    name = f"{front} asking {BY_OURS}"
    return Peer(
        name, f"{oauth2_proxy_version()} behind {behind}", client.port, [running, process], Role.ASKED
    )


def _nginx(stand: Stand, client: Client, listen: int, front: str) -> Process:
    recipe = put(forward_auth.RECIPE.read_text(), _PIECES[front])
    recipe = put(recipe, forward_auth.substitutions(client, listen, stand.files))
    return stand.nginx(stand.start_proxy, f"front-{client.name}", client.port, recipe)


def _placed(stand: Stand, client: Client, listen: int, front: str) -> Process:
    at = Places(
        f"http://localhost:{client.port}", client.port, f"127.0.0.1:{listen}", f"127.0.0.1:{stand.files}"
    )
    kind, directory = front.lower(), stand.directory(f"front-{client.name}")
    made = placed(kind, directory, at, lambda text: put(text, _PIECES[front]))
    assert isinstance(made, FrontProxy)
    made.recipe.write_text(quiet(made.recipe.read_text(), kind))
    running = stand.start_proxy(*made.command(), HOME=str(directory))
    stand.wait(client.port, running)
    return running
