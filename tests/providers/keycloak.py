"""Keycloak as a process of its own, set up through its admin API: realms, clients, people, and a realm behind another."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.fakes.browser import Loopback
from tests.fakes.ports import free_ports
from tests.programs import ROOT, program

VERSION = "26.4.7"
SHA256 = "dd9834c023460be856f731423d86228c23b5d002194a2064642bec0cc6573eaa"
"""Of the distribution's archive, 159 MB."""
INTO = ROOT / "build" / "keycloak"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:2.8"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
ADMIN = {"username": "admin", "password": "known-to-this-test-alone"}
PASSWORD = "known-to-this-test-alone"
CALLED = ("bash", "dirname", "grep", "java", "printf", "readlink", "sed", "uname", "xargs")
"""What its start script calls."""
PATIENCE = 180
"""Seconds until it answers; 25 on two cores that have nothing else to do."""
TO_INSTALL = 420
"""Seconds for Maven; nothing is fetched where its repository has it all."""


def installed() -> Path:
    """The directory of the distribution, fetched through Maven and made ready where it is not there.

    Without Maven, Java or a repository that Maven can ask, this fails: tests that need it are not skipped.
    """
    for each in CALLED:
        program(each)
    home = INTO / f"keycloak-{VERSION}"
    ready = home / ".ready"
    if not ready.exists():
        shutil.rmtree(INTO, ignore_errors=True)
        INTO.mkdir(parents=True)
        fetch = f"{PLUGIN}:copy"
        wanted = (f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={INTO}", "-Dmdep.useBaseVersion=true")
        _run(program("mvn"), "--batch-mode", "--quiet", fetch, *wanted)
        (archive,) = INTO.glob("*.zip")
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256, f"{archive} is not the one we know"
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(INTO)
        archive.unlink()
        (home / "bin" / "kc.sh").chmod(0o755)
        _run(home / "bin" / "kc.sh", "build", "--db=dev-mem")
        ready.touch()
    return home


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=INTO, timeout=TO_INSTALL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])


@dataclass
class Keycloak:
    """The running server. Each realm is at a host of its own: names below localhost are sites of their own to browsers."""

    port: int
    _client: aiohttp.ClientSession = field(repr=False)
    _kept: str = field(default="", repr=False)
    _until: float = 0

    def realm(self, name: str) -> str:
        """The address, and the issuer, of a realm."""
        return f"http://{name}.localhost:{self.port}/realms/{name}"

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the admin API; what it answers, which must be a success. A text is sent as it is."""
        headers = {"Authorization": f"Bearer {await self._token()}"}
        more: dict[str, Any] = {"data": body} if isinstance(body, str) else {"json": body}
        url = f"http://127.0.0.1:{self.port}/admin/realms{path}"
        async with self._client.request(method, url, headers=headers, **more) as answer:
            text = await answer.text()
            assert answer.status < 300, (method, path, answer.status, text)
            return await answer.json() if "json" in answer.headers.get("Content-Type", "") else text

    async def _token(self) -> str:
        """One that is good for a minute, used for half of that: its password is costly to check."""
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            form = {"grant_type": "password", "client_id": "admin-cli", **ADMIN}
            url = f"http://127.0.0.1:{self.port}/realms/master/protocol/openid-connect/token"
            async with self._client.post(url, data=form) as answer:
                assert answer.status == 200, await answer.text()
                self._kept, self._until = str((await answer.json())["access_token"]), now + 30
        return self._kept

    async def user(self, realm: str, name: str) -> str:
        """The id of somebody."""
        (found,) = await self.ask("GET", f"/{realm}/users?exact=true&username={name}")
        return str(found["id"])

    async def sessions(self, realm: str, name: str) -> int:
        """How many sessions somebody has in a realm."""
        return len(await self.ask("GET", f"/{realm}/users/{await self.user(realm, name)}/sessions"))

    async def make_realm(
        self, name: str, people: Sequence[str], clients: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """A realm with ``people`` and ``clients``, the latter in the terms of dynamic registration."""
        cheap = (
            "hashAlgorithm(pbkdf2-sha512) and hashIterations(1)"  # all its passwords are the same, and known
        )
        made = {"realm": name, "enabled": True, "sslRequired": "none", "passwordPolicy": cheap}
        known = {"clients": [_client(each) for each in clients], "users": [_user(each) for each in people]}
        await self.ask("POST", "", {**made, **known})

    async def broker(self, hub: str, behind: str, people: Sequence[str], *, single_logout: bool) -> None:
        """Let ``hub`` send people to the realm ``behind`` by SAML, each told of the other by its metadata."""
        metadata = f"{self.realm(behind)}/protocol/saml/descriptor"
        asked = {"fromUrl": metadata, "providerId": "saml"}
        found = await self.ask("POST", f"/{hub}/identity-provider/import-config", asked)
        if not single_logout:
            del found["singleLogoutServiceUrl"]
        plain = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
        config = {**found, "nameIDPolicyFormat": plain, "entityId": self.realm(hub)}
        instance = {"alias": behind, "providerId": "saml", "enabled": True, "config": config}
        await self.ask("POST", f"/{hub}/identity-provider/instances", instance)
        async with self._client.get(f"{self.realm(hub)}/broker/{behind}/endpoint/descriptor") as answer:
            assert answer.status == 200, await answer.text()
            descriptor = await answer.text()
        client = await self.ask("POST", f"/{behind}/client-description-converter", descriptor)
        await self.ask("POST", f"/{behind}/clients", client)
        for each in people:
            link = {"identityProvider": behind, "userId": each, "userName": each}
            identity = f"/{hub}/users/{await self.user(hub, each)}/federated-identity/{behind}"
            await self.ask("POST", identity, link)


@asynccontextmanager
async def keycloak(directory: Path, names: Sequence[str]) -> AsyncIterator[Keycloak]:
    """A server without realms of its own.

    :param names: hosts below localhost that it finds at loopback.
    """
    home = await asyncio.to_thread(installed)
    [port, management] = free_ports(2)
    hosts = directory / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {' '.join(f'{name}.localhost' for name in names)}\n")
    environ = {
        **os.environ,
        "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN["username"],
        "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN["password"],
        "JAVA_OPTS_APPEND": f"-Djdk.net.hosts.file={hosts} -Xmx512m -XX:TieredStopAtLevel=1",
    }
    options = ("--http-enabled=true", "--hostname-strict=false", "--cache=local")
    listen = ("--http-host=127.0.0.1", f"--http-port={port}", f"--http-management-port={management}")
    with (directory / "keycloak.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            home / "bin" / "kc.sh",
            "start",
            "--optimized",
            *options,
            *listen,
            env=environ,
            stdout=log,
            stderr=log,
        )
        connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:
            found = Keycloak(port, client)
            try:
                await _until_it_answers(found, process, directory / "keycloak.log")
                yield found
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()


async def _until_it_answers(found: Keycloak, process: asyncio.subprocess.Process, log: Path) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                assert process.returncode is None, log.read_text()[-4000:]
                with contextlib.suppress(aiohttp.ClientConnectionError, AssertionError):
                    await found.ask("GET", "/master")
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(log.read_text()[-4000:]) from None


def _user(name: str) -> dict[str, Any]:
    return {
        "username": name,
        "enabled": True,
        "email": f"{name}@example.com",
        "emailVerified": True,
        "firstName": name.title(),
        "lastName": "Example",
        "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
    }


def _client(registered: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "clientId": registered["client_id"],
        "secret": registered["client_secret"],
        "redirectUris": registered["redirect_uris"],
        "publicClient": False,
        "standardFlowEnabled": True,
        "frontchannelLogout": False,
        "attributes": {
            "post.logout.redirect.uris": "##".join(registered["post_logout_redirect_uris"]),
            "backchannel.logout.url": registered["backchannel_logout_uri"],
            "backchannel.logout.session.required": "true",
            "pkce.code.challenge.method": "S256",
        },
    }
