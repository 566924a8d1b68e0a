"""Apache with mod_auth_openidc: the session in the cookie, or in shared memory."""

from __future__ import annotations

import os
import subprocess

from tests.bench.peers.peer import Client, Peer, Role
from tests.bench.stand import Stand

COOKIE, CACHE = "mod_auth_openidc, client cookie", "mod_auth_openidc, server cache"
MODULES = (
    "mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc", "proxy", "proxy_http",
    "proxy_wstunnel",
)  # fmt: skip
CONFIG = """
ServerRoot {home}
ServerName localhost
Listen 127.0.0.1:{client.port}
ListenBacklog 1024
PidFile {home}/pid
DefaultRuntimeDir {home}
ErrorLog {home}/error.log
LogLevel crit
{modules}
{user}
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
MaxConnectionsPerChild 0
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCProviderTokenEndpointAuth {client.auth}
OIDCClientID {client.name}
OIDCClientSecret {client.secret}
OIDCRedirectURI {client.redirect_uri}
OIDCScope "openid email profile"
OIDCCryptoPassphrase "a benchmark keeps no secrets"
OIDCSessionType {session}
OIDCSessionInactivityTimeout 3600
OIDCPassClaimsAs headers
OIDCWhiteListedClaims sub email groups preferred_username
<Location />
  AuthType openid-connect
  Require valid-user
</Location>
ProxyPass {client.callback} !
ProxyPass /live/ws http://127.0.0.1:{live}/live/ws upgrade=websocket
ProxyPass /live/ http://127.0.0.1:{live}/live/
ProxyPass / http://127.0.0.1:{files}/
"""


def client(port: int, session: str) -> Client:
    """``session``: ``client-cookie`` or ``server-cache``."""
    return Client(f"apache-{session}", port, "/callback")


def start(stand: Stand, client: Client) -> Peer:
    session = client.name.removeprefix("apache-")
    home = stand.directory(client.name)
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in MODULES
    )
    user = "User www-data\nGroup www-data" if os.getuid() == 0 else ""
    (home / "httpd.conf").write_text(
        CONFIG.format(
            home=home, client=client, modules=modules, user=user, session=session,
            issuer=stand.issuer, live=stand.live, files=stand.files,
        )
    )  # fmt: skip
    process = stand.start_proxy("apache2", "-f", str(home / "httpd.conf"), "-DFOREGROUND")
    stand.wait(client.port, process)
    name = COOKIE if session == "client-cookie" else CACHE
    return Peer(name, version(), client.port, [process], Role.GATED)


def version() -> str:
    """Apache's own word, and the package's for the module, which has none."""
    said = subprocess.run(["apache2", "-v"], capture_output=True, text=True, check=True).stdout
    apache = said.partition("Apache/")[2].split()[0]
    query = ["dpkg-query", "-W", "-f", "${Version}", "libapache2-mod-auth-openidc"]
    module = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    return f"{module.partition('-')[0] or 'unknown'} in Apache {apache}"
