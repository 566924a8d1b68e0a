"""Debian's LemonLDAP::NG: its portal, which is an OpenID provider, under a server of its own on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.fakes.browser import Loopback
from tests.fakes.ports import free_port
from tests.programs import program

PERSON, PASSWORD = "dwho", "dwho"
"""One of those that its demonstration knows."""
PATIENCE = 60
"""Seconds until it answers."""
PORTAL = """\
use strict;
use warnings;
use Plack::Builder;
use Lemonldap::NG::Portal::Main;
my $portal = Lemonldap::NG::Portal::Main->run({ configStorage => { confFile => '%(home)s/lemonldap-ng.ini' } });
builder {
  enable 'Static', path => sub { s{^/static/}{} }, root => '/usr/share/lemonldap-ng/portal/htdocs/static/';
  enable 'Static', path => sub { s{^/javascript/}{} }, root => '/usr/share/javascript/';
  $portal;
};
"""
SETTINGS = """\
[all]
logLevel = notice
checkTime = 1
[configuration]
type = File
dirName = %(home)s/conf
localStorage = Cache::FileCache
localStorageOptions = {'namespace' => 'lemonldap-ng-config', 'cache_root' => '%(home)s/cache', 'cache_depth' => 3}
[portal]
staticPrefix = /static
templateDir = /usr/share/lemonldap-ng/portal/templates
languages = en
"""


@dataclass
class LemonLdap:
    """The running portal."""

    address: str
    home: Path

    def sessions(self) -> int:
        """How many people are signed in."""
        found = 0
        for path in (self.home / "sessions").iterdir():
            if path.is_file():
                with contextlib.suppress(ValueError, FileNotFoundError):  # being written, or gone since
                    found += json.loads(path.read_text()).get("_session_kind") == "SSO"
        return found


@asynccontextmanager
async def lemonldap(home: Path, clients: Sequence[Mapping[str, Any]]) -> AsyncIterator[LemonLdap]:
    """A portal that knows ``clients``, given in the terms of dynamic registration."""
    port = free_port()
    found = LemonLdap(f"http://lemonldap.localhost:{port}", home)
    for name in ("conf", "cache", "notifications", "sessions/lock", "psessions/lock"):
        (home / name).mkdir(parents=True)
    (home / "conf" / "lmConf-1.json").write_text(json.dumps(_configuration(found, clients)))
    (home / "lemonldap-ng.ini").write_text(SETTINGS % {"home": home})
    (home / "portal.psgi").write_text(PORTAL % {"home": home})
    listen = ("--workers", "4", "--listen", f"127.0.0.1:{port}")
    with (home / "portal.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program("starman"), *listen, "--preload-app", home / "portal.psgi", stdout=log, stderr=log
        )
        try:
            await _until_it_answers(found, process)
            yield found
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()  # and it ends those that it has started
            await process.wait()


async def _until_it_answers(found: LemonLdap, process: asyncio.subprocess.Process) -> None:
    log = found.home / "portal.log"
    connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector) as client, asyncio.timeout(PATIENCE):
        while True:
            assert process.returncode is None, log.read_text()[-4000:]
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with client.get(f"{found.address}/.well-known/openid-configuration") as answer:
                    assert answer.status == 200, log.read_text()[-4000:]
                    return
            await asyncio.sleep(0.05)


def _configuration(found: LemonLdap, clients: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """As the package has it, but for its places, its self-service pages, and what the manager would add for a client."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    cache = {"cache_root": str(found.home / "cache"), "cache_depth": 3, "namespace": "lemonldap-ng-sessions"}
    return {
        "cfgNum": 1,
        "cfgAuthor": "tests",
        "cfgDate": "1627287638",
        "cfgVersion": "2.16.1",
        "portal": f"{found.address}/",
        "domain": "lemonldap.localhost",
        "cookieName": "lemonldap",
        "securedCookie": 0,
        "key": "known-to-this-test-alone",
        "authentication": "Demo",
        "userDB": "Same",
        "passwordDB": "Demo",
        "registerDB": "Null",
        "portalDisplayRegister": 0,
        "portalDisplayResetPassword": 0,
        "demoExportedVars": {"cn": "cn", "mail": "mail", "uid": "uid"},
        "globalStorage": "Apache::Session::File",
        "globalStorageOptions": _storage(found.home / "sessions"),
        "persistentStorage": "Apache::Session::File",
        "persistentStorageOptions": _storage(found.home / "psessions"),
        "localSessionStorage": "Cache::FileCache",
        "localSessionStorageOptions": cache,
        "notificationStorage": "File",
        "notificationStorageOptions": {"dirName": str(found.home / "notifications")},
        "whatToTrace": "_whatToTrace",
        "macros": {"_whatToTrace": "lc($_user)"},
        "locationRules": {"lemonldap.localhost": {"default": "accept"}},
        "issuerDBOpenIDConnectActivation": 1,
        "oidcServiceMetaDataIssuer": found.address,
        "oidcServicePrivateKeySig": private.decode(),
        "oidcServicePublicKeySig": public.decode(),
        "oidcServiceKeyIdSig": "one",
        "oidcServiceAllowAuthorizationCodeFlow": 1,
        "oidcRPMetaDataOptions": {each["client_id"]: _client(each) for each in clients},
        "oidcRPMetaDataExportedVars": {
            each["client_id"]: {"email": "mail", "name": "cn", "preferred_username": "uid"}
            for each in clients
        },
    }


def _client(registered: Mapping[str, Any]) -> dict[str, Any]:
    options = {
        "ClientID": registered["client_id"],
        "ClientSecret": registered["client_secret"],
        "RedirectUris": " ".join(registered["redirect_uris"]),
        "PostLogoutRedirectUris": " ".join(registered["post_logout_redirect_uris"]),
        "IDTokenSignAlg": "RS256",
        "RequirePKCE": 1,
        "RefreshToken": 1,
        "BypassConsent": 1,
    }
    return {f"oidcRPMetaDataOptions{name}": value for name, value in options.items()}


def _storage(directory: Path) -> dict[str, str]:
    made = "Lemonldap::NG::Common::Apache::Session::Generate::SHA256"
    return {"Directory": str(directory), "LockDirectory": str(directory / "lock"), "generateModule": made}
