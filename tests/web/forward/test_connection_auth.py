"""Upstreams that authenticate the connection (NTLM, Negotiate): whose requests go on it afterwards?"""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.http.facts import RequestFacts
from tests.fakes.door import eventually, open_lab, session
from tests.fakes.patience import PATIENCE
from tests.fakes.upstream import reply

lab = pytest.fixture(open_lab)
SCHEMES = ["NTLM", "Negotiate", "negotiate", "Kerberos", "Nego2", "X-Some-Vendors-Own"]


def accounts(*challenges: str):
    """An application that knows its callers by their connections."""
    who: dict[int, bytes] = {}

    async def script(call):
        await call.body()
        told = call.values(b"authorization")
        if told and told[0].split()[0].decode() not in {"Basic", "Bearer", "Digest"}:
            who[call.connection] = told[0].split()[1]
        if call.connection in who:
            await call.send(reply(who[call.connection]))
        else:
            lines = [b"WWW-Authenticate: " + each.encode() for each in challenges]
            await call.send(reply(b"who?", *lines, status=b"401 Unauthorized"))

    return script


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_nobody_is_answered_as_the_one_before_on_an_authenticated_connection(lab, scheme):
    """The request itself carries the scheme; the other client comes at once, on a connection of its own."""
    door, upstream, alice = await lab(accounts(scheme))
    assert (await alice.get("/mail", f"Authorization: {scheme} alice")).body == b"alice"
    bob = await door.client()
    assert (await bob.get("/mail")).body == b"who?"
    assert (await alice.get("/mail")).body == b"alice"
    assert upstream.connections == 2
    await bob.close()


@pytest.mark.parametrize(
    "line",
    [
        b"WWW-Authenticate: NTLM",
        b'WWW-Authenticate: Basic realm="a, b", Negotiate',
        b"WWW-Authenticate: Negotiate oYGyMIGvoAMKAQA=",
        b"Persistent-Auth: true",
        b"Proxy-Support: Session-Based-Authentication",
        b"WWW-Authenticate: Kerberos\r\nConnection: keep-alive, www-authenticate",
    ],
)
@pytest.mark.parametrize("status", [b"401 Unauthorized", b"200 OK"])
@pytest.mark.parametrize("framing", [b"", b"Set-Cookie: a=b\r\n"])
async def test_what_an_upstream_says_binds_its_connection(lab, line, status, framing):
    """From its answer on, also where the client's request said nothing, and for a head that is read either way."""

    async def script(call):
        head = b"HTTP/1.1 " + status + b"\r\n" + framing + line + b"\r\nContent-Length: 2\r\n\r\n"
        await call.send(head + b"%d." % call.connection)

    door, _, alice = await lab(script)
    bob = await door.client()
    assert [(await each.get("/")).body for each in (alice, bob, alice, bob)] == [b"1.", b"2.", b"1.", b"2."]
    await bob.close()


@pytest.mark.parametrize(
    "line",
    [
        b'WWW-Authenticate: Basic realm="a"',
        b'WWW-Authenticate: Bearer error="x", error_description="NTLM, Negotiate"',
        b'WWW-Authenticate: Digest realm = "x", nonce =abc, DPoP algs="ES256"',
        b"Persistent-Auth: false",
        b"X-Plain: 1",
    ],
)
async def test_what_proves_itself_in_every_request_shares_connections(lab, line):
    """Pooling goes on for schemes that do not belong to a connection."""

    async def script(call):
        await call.send(reply(b"%d" % call.connection, line, status=b"401 Unauthorized"))

    door, upstream, alice = await lab(script)
    bob = await door.client()
    await alice.get("/", "Authorization: Basic YTpi")
    await bob.get("/", 'Authorization: Digest username="NTLM", uri="/"')
    assert upstream.connections == 1
    await bob.close()


async def test_a_handshake_stays_on_its_connection(lab):
    """Three messages, the last two of them POSTs with bodies, as browsers send them; others come in between."""
    door, upstream, alice = await lab(accounts("NTLM"))
    bob = await door.client()
    first = await alice.get("/")
    for number in (1, 3):
        await bob.get("/")
        await alice.send(
            b"POST / HTTP/1.1\r\nHost: app.test\r\nAuthorization: NTLM message%d\r\nContent-Length: 2\r\n\r\nhi"
            % number
        )
        assert (await alice.response()).body == b"message%d" % number
    assert first.status == 401
    assert {call.connection for call in upstream.calls if call.values(b"authorization")} == {1}
    await bob.close()


async def test_it_ends_with_the_client_connection(lab):
    """And what is freed after its client has left is not kept either."""
    gone: list[int] = []

    async def script(call):
        await call.send(reply(b"hi", b"WWW-Authenticate: NTLM"))
        if call.request_line.startswith(b"GET /last"):
            await call.client_gone()
            gone.append(call.connection)
            return "close"
        return None

    door, _, alice = await lab(script)
    await alice.get("/last")
    assert door.forwarder.connections == 1
    await alice.close()
    await eventually(lambda: gone == [1])
    assert door.forwarder.connections == 0
    pool = next(iter(door.forwarder._pools.values()))
    assert not pool._held


async def test_a_shared_client_connection_is_not_one_person(lab):
    """A proxy in front sends everybody's requests on one connection: each session has its own behind it."""
    door, upstream, front = await lab(accounts("NTLM"), who=session("alice"))
    assert (await front.get("/", "Authorization: NTLM alice")).body == b"alice"
    door.session = session("bob")
    assert (await front.get("/")).body == b"who?"
    assert upstream.connections == 2


async def test_who_cannot_be_told_apart_shares_nothing(lab, monkeypatch):
    """A page that is open to everybody, behind a proxy in front: no session says whose request it is."""
    door, upstream, front = await lab(accounts("NTLM"))
    forward = door.forwarder.forward

    def proxied(request, facts: RequestFacts, *rest, **more):
        return forward(request, facts._replace(client="203.0.113.7"), *rest, **more)

    monkeypatch.setattr(door.forwarder, "forward", proxied)
    assert (await front.get("/", "Authorization: NTLM alice")).body == b"alice"
    assert (await front.get("/")).body == b"who?"
    assert upstream.connections == 2


async def test_held_connections_keep_nobody_out(lab):
    """Where an upstream has all the connections it may have, the longest unused one makes room."""
    door, upstream, alice = await lab(accounts("NTLM"), connect=PATIENCE)
    pool = next(iter(door.forwarder._pools.values()))
    pool._limit = 2
    clients = [alice, *[await door.client() for _ in range(3)]]
    for number, each in enumerate(clients):
        assert (await each.get("/", f"Authorization: NTLM person{number}")).body == b"person%d" % number
    assert upstream.connections == 4
    assert pool.size == 2
    await eventually(lambda: len(pool._held) == 2)
    for each in clients[1:]:
        await each.close()


async def test_who_waits_for_a_connection_gets_one_that_would_be_held(lab):
    """It was busy when the queue began."""
    go = asyncio.Event()

    async def script(call):
        if call.request_line.startswith(b"GET /slow"):
            await go.wait()
        await call.send(reply(b"%d" % call.connection, b"WWW-Authenticate: NTLM"))

    door, upstream, alice = await lab(script, connect=PATIENCE)
    pool = next(iter(door.forwarder._pools.values()))
    pool._limit = 1
    bob = await door.client()
    await alice.ask("/slow")
    await eventually(lambda: len(upstream.calls) == 1)
    await bob.ask("/")
    await eventually(lambda: len(pool._waiting) == 1)
    go.set()
    assert (await alice.response()).body == b"1"
    assert (await bob.response()).body == b"2"
    await bob.close()
