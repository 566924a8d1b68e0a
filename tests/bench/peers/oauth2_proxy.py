"""oauth2-proxy: the session is encrypted in its cookies. Also as an authorizer behind nginx."""

from __future__ import annotations

from tests.bench.install import OAUTH2_PROXY
from tests.bench.peers.peer import Client, Peer
from tests.bench.stand import PROXY_CORE, Process, Stand

NAME = "oauth2-proxy"


def client(port: int, name: str = NAME) -> Client:
    return Client(name, port, "/oauth2/callback")


def start(stand: Stand, client: Client) -> Peer:
    process = run(stand, client, client.port)
    return Peer(NAME, OAUTH2_PROXY, client.port, [process])


def run(stand: Stand, client: Client, port: int, *extra: str) -> Process:
    """The process alone, listening on ``port``; the browser sees ``client.port``."""
    process = stand.start(
        PROXY_CORE, stand.tools.oauth2_proxy,
        f"--http-address=127.0.0.1:{port}", "--provider=oidc", f"--oidc-issuer-url={stand.issuer}",
        f"--client-id={client.name}", f"--client-secret={client.secret}", "--scope=openid email profile",
        f"--redirect-url={client.redirect_uri}", "--cookie-secret=0123456789abcdef0123456789abcdef",
        "--cookie-secure=false", "--email-domain=*", "--skip-provider-button=true",
        "--request-logging=false", "--auth-logging=false", "--standard-logging=false",
        f"--upstream=http://127.0.0.1:{stand.live}/live/", f"--upstream=http://127.0.0.1:{stand.files}/",
        *extra,
    )  # fmt: skip
    stand.wait(port, process)
    return process
