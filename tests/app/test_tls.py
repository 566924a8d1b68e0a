"""TLS on our own listener: what is spoken, and certificates that are replaced while it listens."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from gateway.app.tls import Renewable, tls_context
from gateway.core.errors import ConfigurationError
from tests.app.test_wiring import configured
from tests.fakes.certificates import Authority
from tests.fakes.patience import PATIENCE
from tests.fakes.serving import launched

HOST = "app.localhost"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path)


def certify(directory: Path, authority: Authority) -> None:
    """Put a new certificate and its key in place."""
    authority.server(HOST)
    both = authority.file.with_suffix(f".{HOST}.pem").read_text()
    begin = both.index("-----BEGIN PRIVATE KEY")
    (directory / "key.pem").touch(mode=0o600)
    (directory / "key.pem").write_text(both[begin:])
    (directory / "cert.pem").write_text(both[:begin])


class Client:
    """A connection, and the serial number of the certificate that it was shown.

    :param named: whether it says which host it wants.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    serial: str

    @classmethod
    async def open(cls, port: int, authority: Authority, *, named: bool = True) -> Client:
        made, context = cls(), ssl.create_default_context(cafile=authority.file)
        context.check_hostname = named
        made.reader, made.writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=HOST if named else ""
        )
        made.serial = made.writer.get_extra_info("peercert")["serialNumber"]
        return made

    async def status(self, port: int) -> int:
        self.writer.write(f"GET /api/me HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode())
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        await self.reader.readexactly(length)
        return int(head.split()[1])

    async def close(self) -> None:
        self.writer.close()
        self.writer.transport.abort()


@asynccontextmanager
async def serving(
    directory: Path, workers: int
) -> AsyncIterator[tuple[int, Callable[[], Awaitable[dict[str, Any]]]]]:
    """A gateway with TLS; its port, and what it says of itself when it is asked."""
    path = configured(directory, extra="tls: {cert_file: cert.pem, key_file: key.pem}\n")
    text = path.read_text().replace("public_url: http:", "public_url: https:")
    path.write_text(text)
    port = int(text.partition("\nlisten: ")[2].split()[0].rpartition(":")[2])
    probes = text.partition("probes: {listen: ")[2].partition("}")[0]
    process = await launched(path, workers=workers, accept_for=0)
    async with aiohttp.ClientSession() as client:

        async def told() -> dict[str, Any]:
            async with client.get(f"http://{probes}/readyz") as answer:
                return await answer.json() if answer.status == 200 else {}

        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    assert process.returncode is None, (directory / "log").read_text()
                    try:
                        if await told():
                            break
                    except aiohttp.ClientConnectionError:
                        pass
                    await asyncio.sleep(0.05)
            yield port, told
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_certificate_is_replaced_without_a_restart(
    tmp_path: Path, authority: Authority, workers: int
) -> None:
    """For new connections, whether they name the host or not; those that stand go on; nonsense changes nothing but
    the line in ``/readyz``.
    """
    certify(tmp_path, authority)
    async with serving(tmp_path, workers) as (port, told):
        first = await Client.open(port, authority)
        assert await first.status(port) == 401
        certify(tmp_path, authority)
        await _sees(port, authority, lambda serial: serial != first.serial)
        second = await Client.open(port, authority)
        assert await first.status(port) == 401

        (tmp_path / "cert.pem").write_text(
            "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"
        )
        async with asyncio.timeout(PATIENCE):
            while "the former certificate stay in force" not in str(await told()):
                await asyncio.sleep(0.05)
        await _sees(port, authority, lambda serial: serial == second.serial)
        certify(tmp_path, authority)
        await _sees(port, authority, lambda serial: serial not in {first.serial, second.serial})
        assert [await client.status(port) for client in (first, second)] == [401, 401]
        for client in (first, second):
            await client.close()


async def _sees(port: int, authority: Authority, right: Callable[[str], bool]) -> None:
    """Wait until every worker shows the right certificate: so many connections in a row do not miss one of two."""
    async with asyncio.timeout(PATIENCE):
        in_a_row = 0
        while in_a_row < 30:
            client = await Client.open(port, authority, named=in_a_row % 2 == 0)
            in_a_row = in_a_row + 1 if right(client.serial) else 0
            await client.close()
            await asyncio.sleep(0.01)


async def test_a_handshake_takes_the_latest_certificate(tmp_path: Path, authority: Authority) -> None:
    """On the loop's own transports as well; it can be replaced any number of times."""
    renewable = Renewable(authority.server(HOST))
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=renewable.context
    )
    port = server.sockets[0].getsockname()[1]
    seen = []
    for _ in range(3):
        client = await Client.open(port, authority)
        seen += [client.serial]
        await client.close()
        renewable.replace(authority.server(HOST))
    assert len(set(seen)) == 3
    server.close()


def test_tls_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """Certificate and key that do not parse are a configuration error, not OpenSSL's."""
    for name in ("cert", "key"):
        (tmp_path / name).write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    broken: Any = SimpleNamespace(tls=SimpleNamespace(cert_file=tmp_path / "cert", key_file=tmp_path / "key"))
    with pytest.raises(ConfigurationError, match="cannot be used"):
        tls_context(broken)
    absent: Any = SimpleNamespace(tls=SimpleNamespace(cert_file=None, key_file=None))
    assert tls_context(absent) is None
