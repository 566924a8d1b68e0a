"""What the door and its answers remember, filled with the largest that gets in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from gateway.core import clock
from gateway.core.session.identity_headers import IdentityOptions
from gateway.proxy.live import LiveConnections
from gateway.web.body import HELD, Body
from gateway.web.door.connections import Listener
from gateway.web.door.limits import DoorLimits
from gateway.web.door.request_reader import AHEAD
from gateway.web.endpoints.forward_auth import ForwardAuth
from gateway.web.endpoints.inbound.okta_events import OktaEvents
from gateway.web.endpoints.inbound.security_events import SecurityEvents
from gateway.web.messages import Request
from gateway.web.pages import errors
from gateway.web.pages import shell as page_shell
from gateway.web.pages.errors import refuse
from gateway.web.pages.pages import Offer
from gateway.web.probes import Readiness
from gateway.web.session.idle import IdleEndings
from gateway.web.statuses import STATUSES
from gateway.web.unauthorized import Unauthorized
from tests.bounds.listed import fills, stated
from tests.bounds.test_sessions import FACE, largest
from tests.fakes import gating

Measured = Callable[[], int]
HEADS = b"GET / HTTP/1.1\r\nHost: app.example.com\r\n"


class Wire(asyncio.Transport):
    """Connected, from an address of its own; its bytes go nowhere."""

    def __init__(self, at: int) -> None:
        super().__init__({"peername": (f"2001:db8:{at:x}:ffff:ffff:ffff:ffff:ffff", 1)})

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sent."""

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """No more comes."""

    resume_reading = abort = close = pause_reading


@fills(
    "web/door/connections.py connections", "web/door/connections.py _clients", "web/door/connections.py _tasks", "web/body.py _pieces",
    "proxy/deadlines.py _watched",
)  # fmt: skip
async def test_connections_of_clients(measured: Measured) -> None:
    """Each from another address, with a request under way, and as much behind it as a client may send ahead."""
    asked: list[Request] = []
    listener = Listener(asked.append, DoorLimits(header=AHEAD, body=0), lambda *_: _never())
    most = stated("web/door/connections.py connections") + stated("proxy/deadlines.py _watched")
    before = measured()
    connections = []
    for at in range(100):
        connection = listener()
        connection.connection_made(Wire(at))
        connection.data_received(HEADS + b"X: %d" % at + b"x" * (AHEAD - 100) + b"\r\n\r\n")
        connection.data_received(b"y" * AHEAD)
        connections.append(connection)
    assert len(asked) == len(listener.connections) == len(listener._clients) == 100
    taken = measured() - before
    assert 100 * AHEAD < taken <= 100 * (most + stated("web/door/connections.py _clients"))
    waiting = asyncio.Event()
    before = measured()
    for connection in connections:
        connection.wait(_wait(waiting))
    assert len(listener._tasks) == 100
    assert measured() - before <= 100 * stated("web/door/connections.py _tasks")
    waiting.set()
    await asyncio.gather(*listener._tasks)
    await listener.shutdown(0.0)


def _never() -> Any:
    raise AssertionError("these are requests")


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


class Held:
    """A client that is told to wait, and has sent one more reading by then."""

    def hold(self) -> None:
        """Wait."""

    def go_on(self) -> None:
        """Go on."""

    def interim(self, data: bytes) -> None:
        """Nothing is expected."""


@fills("web/body.py _pieces")
async def test_a_body_that_nobody_takes(measured: Measured) -> None:
    """In the largest pieces and in the smallest, until the client is held back; and what was on its way by then."""
    for size in (1, 3, 64, 65_536, 262_144):
        before = measured()
        bodies = []
        for _ in range(10):
            body = Body(Held(), None if size < 64 else 1 << 30, expected=False)
            while not body.holding:
                body.feed(_chunks(size) if body.chunked else bytes(size))
            bodies.append(body)
        assert measured() - before <= 10 * stated("web/body.py _pieces"), size
        assert all(body._waiting >= HELD for body in bodies)


def _chunks(size: int) -> bytes:
    """One reading, all of chunks of this size."""
    return b"%x\r\n%b\r\n" % (size, b"z" * size)


@fills("web/pages/errors.py _prepared", "web/unauthorized.py _prepared")
async def test_refusals(measured: Measured) -> None:
    """Every reason with the longest way back that a sign-in may have, each another one; 401 with it, too."""
    refuse(None, "denied")
    before = measured()
    for at in range(600):
        for _ in range(2):
            refuse(
                None,
                "not_asked_again",
                offers=[Offer("Try again", f"/oauth2/start?rd=/{at}{'%F0%9F%98%80' * 340}")],
            )
    errors._prepared.forget()
    for reason in STATUSES:
        for _ in range(2):
            refuse(None, reason)
            refuse(None, reason, person=False)
    assert errors._prepared.kept > len(STATUSES)
    assert measured() - before <= errors._prepared.taken <= stated("web/pages/errors.py _prepared")
    made = Unauthorized("https://app.example.com", "/oauth2")
    before = measured() - made._prepared.taken
    for at in range(600):
        for _ in range(2):
            made.program("login_required", headers=(("Location", f"/oauth2/start?rd=/{at}{'%F0%9F' * 500}"),))
    assert made._prepared.kept > 8
    assert measured() - before <= made._prepared.taken <= stated("web/unauthorized.py _prepared")


@fills("web/endpoints/forward_auth.py _passed")
def test_answers_to_a_proxy_in_front(measured: Measured) -> None:
    """Principals with as much as headers carry."""
    lab = gating.Lab()
    made = ForwardAuth(
        callers=cast("Any", None), path="/oauth2/auth", identity=IdentityOptions(), standing=lab.standing,
        unauthorized=lab.unauthorized, gate=lab.gate, forwarder=cast("Any", lab.upstream), events=cast("Any", lab.events),
    )  # fmt: skip
    for size, times in ((0, 1_100), (40_000, 150)):
        made._passed.forget()
        before = measured() - made._passed.taken
        for at in range(times):
            who = largest(at, size).principal
            assert made._passed[who].response().status == made._passed[who].response().status == 200
        assert made._passed.kept > 8
        assert measured() - before <= made._passed.taken <= stated("web/endpoints/forward_auth.py _passed")


@fills("web/endpoints/inbound/okta_events.py _unused", "web/endpoints/inbound/security_events.py _unknown")
def test_kinds_of_events_that_are_not_known(measured: Measured) -> None:
    """A transmitter may call its events what it likes, as long as a body may be."""
    unused: Any = OktaEvents(secret="", namespace=None, by_users=False, inbound=cast("Any", None))
    unknown: Any = SecurityEvents(
        transmitter=cast("Any", None), namespace=cast("Any", None), keys=cast("Any", None), ending=frozenset(),
        secret=None, inbound=cast("Any", None),
    )  # fmt: skip
    for place, made in (
        ("web/endpoints/inbound/okta_events.py _unused", unused),
        ("web/endpoints/inbound/security_events.py _unknown", unknown),
    ):
        before = measured()
        for at in range(1_000):
            made._say_once(f"{at}" + FACE * 15_000)
        assert measured() - before <= stated(place)


@fills("web/session/idle.py _next")
async def test_sessions_with_live_connections(measured: Measured) -> None:
    """When each is looked at next."""
    live = LiveConnections()
    made = IdleEndings(live, cast("Any", None), idle=1_800)
    for at in range(1_000):
        session = largest(at, 0)
        live.add(session.sid, lambda _: None, session=replace(session, idle_until=clock.now() + 1_000))
    before = measured()
    assert await made.look() == 0
    assert len(made._next) == 1_000
    assert measured() - before <= 1_000 * stated("web/session/idle.py _next")


@fills(
    "web/pages/shell.py _environment", "web/pages/shell.py _hash_source", "web/pages/shell.py asset", "web/probes.py details",
    "core/clock.py _http_date",
)  # fmt: skip
def test_what_the_package_brings(measured: Measured) -> None:
    """All templates, scripts and styles; what the probes say; one date."""
    for made in (page_shell._environment, page_shell._hash_source, page_shell.asset):
        made.cache_clear()
    before = measured()
    for template in page_shell._TEMPLATES.glob("*.html"):
        page_shell._environment().get_template(template.name)
    assert measured() - before <= stated("web/pages/shell.py _environment")
    for place, made in (("asset", page_shell.asset), ("_hash_source", page_shell._hash_source)):
        before = measured()
        for path in page_shell._TEMPLATES.iterdir():
            if path.suffix in {".css", ".js"}:
                made(path.name if made is page_shell.asset else page_shell.asset(path.name))
        assert measured() - before <= stated(f"web/pages/shell.py {place}")
    clock.http_date()
    before = measured()
    for second in range(1_000):
        clock._http_date(1_700_000_000 + second)
    assert measured() - before <= stated("core/clock.py _http_date")
    before = measured()
    readiness = Readiness(True, True, {f"{n}": f"{n}" + "w" * 200 for n in range(8)})
    assert measured() - before <= stated("web/probes.py details")
    del readiness
