"""One look at a URL."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.doctor.probe import ENOUGH, NoAnswerError, Probe, parts_of
from tests.fakes.certificates import Authority
from tests.fakes.patience import PATIENCE
from tests.fakes.puppet import Puppet, Says, moved, puppet


async def test_what_is_there(idp: Puppet) -> None:
    """Status, headers in order with repeated ones, and the beginning of the body; nothing is followed."""
    idp.lines["/"] = Says(302, "x" * 10, headers={"Location": "/next", "Set-Cookie": "a=1"})
    seen = await Probe().get(idp.origin())
    assert (seen.status, seen.location, seen.redirects, seen.body) == (302, "/next", True, "x" * 10)
    assert seen.header("set-cookie") == "a=1"
    assert len(idp.asked) == 1


async def test_no_cookie_is_ever_carried(idp: Puppet) -> None:
    """Not even one that was just set."""
    idp.lines["/"] = Says(headers={"Set-Cookie": "session=1; Path=/"})
    probe = Probe()
    for _ in range(2):
        await probe.get(idp.origin())
    assert ["Cookie" in request.headers for request in idp.asked] == [False, False]


async def test_a_large_body_is_read_in_part(idp: Puppet) -> None:
    """The beginning says enough."""
    idp.lines["/"] = Says(body="x" * (ENOUGH + 100_000))
    assert len((await Probe().get(idp.origin())).body) == ENOUGH


@pytest.mark.parametrize(
    "said", [Says(raw=b""), Says(raw=b"\xff\xff"), Says(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")]
)
async def test_what_is_no_answer(idp: Puppet, said: Says) -> None:
    """One kind of error, fit to be shown."""
    idp.lines["/"] = said
    with pytest.raises(NoAnswerError) as caught:
        await Probe().get(idp.origin())
    assert str(caught.value).isprintable()


async def test_a_server_that_hangs_is_left(idp: Puppet) -> None:
    """There is one deadline for all of it."""
    idp.lines["/"] = Says(hangs=True)
    with pytest.raises(NoAnswerError, match="no answer within"):
        await Probe(within=0.05).get(idp.origin())


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "http://[half", "gopher://x/", "http://localhost:99999/"]
)
async def test_where_nobody_is(url: str) -> None:
    """Nor what is no URL."""
    with pytest.raises(NoAnswerError):
        await Probe(within=PATIENCE).get(url)


async def test_why_there_is_no_connection() -> None:
    """In the system's words."""
    with pytest.raises(NoAnswerError, match=r"^no connection \(Connection refused\)$"):
        await Probe().get("http://127.0.0.1:9/")


async def test_certificates_are_verified(tmp_path: Path) -> None:
    """By the system's authorities and the given ones."""
    authority = Authority.make(tmp_path)
    server = await asyncio.start_server(
        lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=authority.server("localhost")
    )
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
    with pytest.raises(NoAnswerError, match="certificate is not trusted"):
        await Probe().get(url)
    with pytest.raises(NoAnswerError, match="exchange broke"):
        await Probe(ca_file=authority.file).get(url)
    server.close()


async def test_a_file_of_authorities_that_cannot_be_used(tmp_path: Path) -> None:
    """It says so as no answer."""
    with pytest.raises(NoAnswerError):
        await Probe(ca_file=tmp_path / "missing.pem").get("https://localhost:9/")


async def test_behind_a_unix_socket(tmp_path: Path) -> None:
    """Whatever the name."""
    async with puppet(socket=tmp_path / "s") as server:
        server.lines["/"] = moved("/x")
        assert (await Probe(socket=tmp_path / "s").get("http://localhost/")).location == "/x"


def test_a_strangers_url_has_parts_or_none() -> None:
    """It never raises."""
    assert parts_of("http://a/b").path == "/b"
    assert parts_of("http://[half").netloc == ""
