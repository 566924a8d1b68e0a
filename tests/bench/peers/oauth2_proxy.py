"""oauth2-proxy: the session is encrypted in its cookies. Also as an authorizer behind nginx."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.install import oauth2_proxy_version
from tests.bench.peers.peer import Client, Peer, Role
from tests.bench.stand import Process, Stand

NAME = "oauth2-proxy"


def client(port: int, name: str = NAME) -> Client:
    return Client(name, port, "/oauth2/callback")


def start(stand: Stand, client: Client) -> Peer:
    process = run(stand, client, client.port)
    return Peer(NAME, oauth2_proxy_version(), client.port, [process], Role.GATED)


def run(stand: Stand, client: Client, port: int, *extra: str, upstreams: Sequence[str] = ()) -> Process:
    """The process alone, listening on ``port``; the browser sees ``client.port``.

    :param upstreams: instead of the stand's.
    """
    served = upstreams or (f"http://127.0.0.1:{stand.live}/live/", f"http://127.0.0.1:{stand.files}/")
    assert stand.tools.oauth2_proxy is not None, "nobody calls this where it could not be built"
    process = stand.start_proxy(
        stand.tools.oauth2_proxy,
        f"--http-address=127.0.0.1:{port}", "--provider=oidc", f"--oidc-issuer-url={stand.issuer}",
        f"--client-id={client.name}", f"--client-secret={client.secret}", "--scope=openid email profile",
        f"--redirect-url={client.redirect_uri}", "--cookie-secret=0123456789abcdef0123456789abcdef",
        "--session-cookie-minimal=true", "--cookie-secure=false", "--email-domain=*", "--skip-provider-button=true",
        "--request-logging=false", "--auth-logging=false", "--standard-logging=false",
        *(f"--upstream={url}" for url in served),
        *extra,
    )  # fmt: skip
    stand.wait(port, process)
    return process
