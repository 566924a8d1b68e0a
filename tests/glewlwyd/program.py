"""Debian's Glewlwyd, an OpenID provider in C that nobody here wrote, as a process of its own, set up through its API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.fakes.browser import Loopback
from tests.fakes.patience import PATIENCE
from tests.fakes.ports import free_port
from tests.programs import program

SHARE = Path("/usr/share/glewlwyd")
SCHEMA = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
MODULES = Path("/usr/lib/glewlwyd")
ADMIN = {"username": "admin", "password": "password"}
"""As the package comes."""
PASSWORD = "known-to-this-test-alone"
CONFIGURATION = """\
port = {port}
bind_address = "127.0.0.1"
external_url = "{address}"
login_url = "login.html"
api_prefix = "api"
static_files_path = "{home}/webapp/"
log_mode = "file"
log_level = "DEBUG"
log_file = "{home}/glewlwyd.log"
cookie_secure = 0
cookie_same_site = "empty"
session_expiration = 2419200
session_key = "GLEWLWYD2_SESSION_ID"
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "{modules}/user"
client_module_path = "{modules}/client"
user_auth_scheme_module_path = "{modules}/scheme"
plugin_module_path = "{modules}/plugin"
hash_algorithm = "SHA512"
database = {{ type = "sqlite3"; path = "{home}/glewlwyd.db"; }};
static_files_mime_types = ({types})
"""
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "application/javascript",
    ".json": "application/json",
}
PLUGIN = {
    "jwks-show": True,
    "jwt-type": "rsa",
    "jwt-key-size": "256",
    "refresh-token-duration": 1_209_600,
    "code-duration": 600,
    "auth-type-code-enabled": True,
    "auth-type-refresh-enabled": True,
    "pkce-allowed": True,
    "introspection-revocation-allowed": True,
    "introspection-revocation-allow-target-client": True,
    "session-management-allowed": True,
    "session-cookie-name": "GLEWLWYD2_OIDC_SID",
    "session-cookie-expiration": 2_419_200,
    "front-channel-logout-allowed": True,
    "back-channel-logout-allowed": True,
    "name-claim": "mandatory",
    "email-claim": "mandatory",
}
"""Of its OpenID Connect plug-in: with sessions, their end, and news of it to the clients."""
PLUGINS = {"oidc": 3600, "brief": 1}
"""Each is an issuer of its own; how many seconds its tokens live. They stay as they are: a plug-in that is changed is loaded
anew, and a request that it is answering meanwhile ends the whole program.
"""


@dataclass
class Glewlwyd:
    """The running provider.

    :ivar admin: a session of its administrator.
    """

    address: str
    home: Path
    admin: aiohttp.ClientSession = field(repr=False)

    def issuer(self, plugin: str) -> str:
        """Of one of `PLUGINS`."""
        return f"{self.address}/api/{plugin}"

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call of its API; what it answers, which must be 200."""
        async with self.admin.request(method, f"{self.address}/api{path}", json=body) as answer:
            text = await answer.text()
            assert answer.status == 200, (method, path, answer.status, text)
            return json.loads(text) if text else None

    async def sessions(self, user: str) -> int:
        """In how many sessions ``user`` is signed in here."""
        found = await self.ask("GET", f"/delegate/{user}/profile/session")
        return sum(bool(each["enabled"]) for each in found)

    def tokens(self, kind: str, user: str) -> list[dict[str, Any]]:
        """Its records of those of ``user`` that are good, the newest last; ``kind`` is ``refresh`` or ``id``."""
        letter = kind[0]
        with contextlib.closing(sqlite3.connect(self.home / "glewlwyd.db", timeout=PATIENCE)) as database:
            database.row_factory = sqlite3.Row
            query = f"SELECT * FROM gpo_{kind}_token WHERE gpo{letter}_username = ? AND gpo{letter}_enabled ORDER BY 1"
            return [dict(row) for row in database.execute(query, (user,))]


@asynccontextmanager
async def glewlwyd(
    home: Path, clients: Sequence[Mapping[str, Any]], people: Sequence[str]
) -> AsyncIterator[Glewlwyd]:
    """A provider that knows ``clients``, in the terms of dynamic registration, and ``people``."""
    port = free_port()
    address = f"http://glewlwyd.localhost:{port}"
    _prepare(home, port, address)
    process = await asyncio.create_subprocess_exec(
        program("glewlwyd"),
        f"--config-file={home / 'glewlwyd.conf'}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as admin:
        provider = Glewlwyd(address, home, admin)
        try:
            await _until_it_answers(provider, process)
            await _set_up(provider, clients, people)
            yield provider
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def _prepare(home: Path, port: int, address: str) -> None:
    # Copied, for links are not followed. Debian's config.json is a link to a directory, in which the file is.
    pages = home / "webapp"
    shutil.copytree(SHARE / "webapp", pages, ignore=shutil.ignore_patterns("config.json"))
    shutil.copy(SHARE / "templates" / "config.json", pages)
    with contextlib.closing(sqlite3.connect(home / "glewlwyd.db", timeout=PATIENCE)) as database:
        database.executescript(SCHEMA.read_text())
    types = ", ".join(f'{{ extension = "{end}"; mime_type = "{kind}"; }}' for end, kind in TYPES.items())
    text = CONFIGURATION.format(port=port, address=address, home=home, modules=MODULES, types=types)
    (home / "glewlwyd.conf").write_text(text)


async def _until_it_answers(provider: Glewlwyd, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            log = provider.home / "glewlwyd.log"
            assert process.returncode is None, log.read_text()[-2000:] if log.exists() else "it has ended"
            with contextlib.suppress(aiohttp.ClientConnectionError):
                await provider.ask("POST", "/auth/", ADMIN)
                return
            await asyncio.sleep(0.02)


async def _set_up(provider: Glewlwyd, clients: Sequence[Mapping[str, Any]], people: Sequence[str]) -> None:
    """What an administrator does in its pages."""
    key = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048)))
    keys = json.dumps({"keys": [{**key, "kid": "one", "alg": "RS256", "use": "sig"}]})
    for name, seconds in PLUGINS.items():
        made = {"iss": provider.issuer(name), "jwks-private": keys, "default-kid": "one"}
        parameters = {**PLUGIN, **made, "access-token-duration": seconds}
        plugin = {"module": "oidc", "name": name, "display_name": "OpenID Connect", "enabled": True}
        await provider.ask("POST", "/mod/plugin/", {**plugin, "parameters": parameters})
    # The list of return addresses is none of the properties that clients have as the package comes.
    found = await provider.ask("GET", "/mod/client/database")
    addresses = {"multiple": True, "read": True, "write": True}
    found["parameters"]["data-format"]["post_logout_redirect_uris"] = addresses
    await provider.ask("PUT", "/mod/client/database", found)
    await provider.ask("PUT", "/mod/client/database/reset")
    scope = await provider.ask("GET", "/scope/openid")
    await provider.ask("PUT", "/scope/openid", {**scope, "password_required": True})
    for each in clients:
        await provider.ask("POST", "/client/", _client(each))
    for name in people:
        person = {"username": name, "name": name.title(), "email": f"{name}@example.com", "enabled": True}
        await provider.ask(
            "POST", "/user/", {**person, "password": PASSWORD, "scope": ["openid", "g_profile"]}
        )


def _client(registered: Mapping[str, Any]) -> dict[str, Any]:
    same = ("client_id", "client_secret", "post_logout_redirect_uris", "backchannel_logout_uri")
    return {
        **{name: registered[name] for name in same},
        "redirect_uri": registered["redirect_uris"],
        "backchannel_logout_session_required": "yes",
        "token_endpoint_auth_method": ["client_secret_basic"],
        "authorization_type": ["code", "refresh_token"],
        "scope": ["openid"],
        "enabled": True,
        "confidential": True,
    }
