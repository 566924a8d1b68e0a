"""The operator's API: who is let in, what it takes, what it answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.core import clock
from gateway.core.session.sign_in import signed_in
from gateway.core.signout.revocation import NewEntry
from gateway.state.contract.sign_ins import BETWEEN_SIGHTINGS
from gateway.state.sqlite.log import SqliteLog
from gateway.state.sqlite.sign_ins import SqliteSignIns
from gateway.telemetry.audit import AuditEvent, AuditKind, AuditTrail
from gateway.telemetry.log import session_mark
from gateway.telemetry.metrics import Metrics
from gateway.web import admin
from gateway.web.admin import MAX_BODY, AdminApi, AdminOptions, RefusedError, revocation_key
from gateway.web.signout.revoker import Revoker
from gateway.web.signout.session_events import SessionEvents
from tests.fakes.door import session

ISSUER = "https://idp.test/pool"
TOKEN = "right-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Desk:
    """A listening admin API."""

    log: SqliteLog
    sign_ins: SqliteSignIns
    audit: list[AuditEvent]
    port: int
    client: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, *, data: Any = None, **headers: str
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.client.request(method, url, data=data, headers=given) as answer:
            return answer.status, json.loads(await answer.read()), answer

    async def revoke(self, asked: object) -> tuple[int, Any]:
        status, told, _ = await self.ask(
            "POST", "/api/revocations", data=json.dumps(asked), Content_Type="application/json", **BEARER
        )
        return status, told


async def opened(directory: Path, token: str | None) -> tuple[Desk, web.ServerRunner]:
    log = SqliteLog(directory / "state.db")
    await log.open()
    audit: list[AuditEvent] = []
    sign_ins = SqliteSignIns(directory / "state.db")
    await sign_ins.open()
    api = AdminApi(
        AdminOptions(token, ISSUER, 3_600, 1_800),
        log=log,
        revoker=Revoker(log, lambda _: 7),
        events=SessionEvents(AuditTrail(audit.append), Metrics()),
        sign_ins=sign_ins,
    )
    runner = web.ServerRunner(web.Server(api.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return Desk(log, sign_ins, audit, runner.addresses[0][1], aiohttp.ClientSession()), runner


@pytest.fixture
async def desk(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    running, runner = await opened(tmp_path, getattr(request, "param", TOKEN))
    yield running
    await running.client.close()
    await runner.cleanup()
    await running.sign_ins.close()
    await running.log.close()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong-token"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer \u00fc"},
        {"Cookie": f"token={TOKEN}"},
    ],
)
async def test_r12_nothing_is_shown_without_the_token(desk: Desk, headers: dict[str, str]) -> None:
    """Reading needs it as well, and paths that do not exist are not told from those that do."""
    for path in ("/api/sessions", "/api/revocations", "/nothing"):
        status, told, answer = await desk.ask("GET", path, **headers)
        assert (status, told["code"]) == (401, "wrong_token")
        assert answer.headers.getall("WWW-Authenticate") == ['Bearer realm="gateway admin"']


@pytest.mark.parametrize("desk", [None], indirect=True)
async def test_r12_without_a_configured_token_it_is_closed(desk: Desk) -> None:
    """403 whatever is sent, with the fix; an empty token opens nothing."""
    for value in ("Bearer ", "Bearer None", f"Bearer {TOKEN}"):
        status, told, _ = await desk.ask("GET", "/api/sessions", Authorization=value)
        assert (status, told["code"]) == (403, "no_token_configured")
        assert "admin.token_file" in told["detail"]


@pytest.mark.parametrize(
    "host", ["evil.test", "evil.test:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.test:{port}"]
)
async def test_a_name_that_somebody_points_at_this_machine_is_refused(desk: Desk, host: str) -> None:
    """DNS rebinding: a page of evil.test is same-origin to itself, but it is not our name."""
    status, told, _ = await desk.ask("GET", "/api/sessions", Host=host.format(port=desk.port), **BEARER)
    assert (status, told["code"]) == (421, "unknown_host")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_the_names_of_the_loopback_are_its_own(desk: Desk, host: str) -> None:
    """With the port of the listener."""
    status, _, _ = await desk.ask("GET", "/api/sessions", Host=f"{host}:{desk.port}", **BEARER)
    assert status == 200


async def test_no_page_is_allowed_to_ask(desk: Desk) -> None:
    """No CORS header on any answer, and preflights are refused."""
    for method in ("OPTIONS", "GET"):
        status, _, answer = await desk.ask(
            method,
            "/api/revocations",
            Origin="https://evil.test",
            Access_Control_Request_Method="POST",
            **BEARER,
        )
        assert status == (405 if method == "OPTIONS" else 200)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("asked", "key"), [
    ({"sid": "S1"}, "sid:S1"),
    ({"sub": "U1"}, f"sub:{ISSUER}|U1"),
    ({"sub": "U1", "iss": "https://other.test"}, "sub:https://other.test|U1"),
    ({"email": "Alice@Example.com"}, "email:alice@example.com"),
    ({"all": True}, "*"),
])  # fmt: skip
async def test_a_revocation_is_written_audited_and_answered(desk: Desk, asked: object, key: str) -> None:
    """It outlives every session, and the answer says whether it is durable and what was closed here."""
    before = clock.now()
    status, told = await desk.revoke(asked)
    assert status == 200
    assert told == {
        "durable": True, "position": desk.log.index.position, "live_closed": 7, "ended": 0, "complete": True,
    }  # fmt: skip
    (entry,) = desk.log.index.live(clock.now())
    assert (entry.key, entry.reason) == (key, "operator")
    assert before <= entry.expires - 3_600 <= clock.now()
    (event,) = desk.audit
    assert (event.kind, event.revocation, event.durable, event.client) == (
        AuditKind.REVOKED,
        key,
        True,
        "127.0.0.1",
    )


@pytest.mark.parametrize("asked", [
    {}, [], None, "sid", 1, {"sid": ""}, {"sid": 5}, {"sid": None}, {"sid": "a", "sub": "b"}, {"iss": "x"},
    {"iss": "x", "sid": "a"}, {"all": False}, {"all": "true"}, {"all": True, "sid": "a"}, {"who": "a"},
    {"sid": "a", "who": "b"}, {"sub": "a", "iss": ""}, {"sid": "x" * 3_000}, {"all": True, "iss": "x"},
])  # fmt: skip
def test_what_is_not_exactly_one_thing_ends_nothing(asked: object) -> None:
    """A typing error must not end everybody's session, nor nobody's in silence."""
    with pytest.raises(RefusedError) as refused:
        revocation_key(asked, ISSUER)
    assert refused.value.code == "not_understood"


@pytest.mark.parametrize(("data", "kind", "status"), [
    (b'{"all": true}', "text/plain", 415),
    (b"all=true", "application/x-www-form-urlencoded", 415),
    (b'{"all": true', "application/json", 400),
    (b"\xff\xfe", "application/json", 400),
    (b"[" * 9_000, "application/json", 400),
    (b'{"sid": "' + b"x" * MAX_BODY + b'"}', "application/json", 413),
])  # fmt: skip
async def test_only_small_json_is_taken(desk: Desk, data: bytes, kind: str, status: int) -> None:
    """A form, which any page could post here, is not."""
    found, told, _ = await desk.ask("POST", "/api/revocations", data=data, Content_Type=kind, **BEARER)
    assert (found, told["status"]) == (status, status)
    assert len(desk.log.index) == 0


async def test_paths_and_methods_that_there_are_not(desk: Desk) -> None:
    """404 names what there is, 405 what it takes."""
    status, told, _ = await desk.ask("GET", "/api/session", **BEARER)
    assert (status, "/api/sessions" in told["detail"]) == (404, True)
    status, _, answer = await desk.ask("DELETE", "/api/revocations", **BEARER)
    assert (status, answer.headers["Allow"]) == (405, "GET, POST")


async def test_revocations_are_listed_the_latest_first(desk: Desk) -> None:
    """Only the ones that can still end a session; position, expiry and reason beside the key."""
    now = clock.now()
    await desk.log.append([NewEntry("sid:old", now + 100, "logout"), NewEntry("sid:dead", now - 1, "logout")])
    await desk.revoke({"sid": "new"})
    status, told, _ = await desk.ask("GET", "/api/revocations", **BEARER)
    assert (status, told["total"], told["position"]) == (200, 2, desk.log.index.position)
    assert [(entry["key"], entry["reason"]) for entry in told["revocations"]] == [
        ("sid:new", "operator"),
        ("sid:old", "logout"),
    ]
    assert told["revocations"][0]["position"] == told["position"]
    assert told["state"].startswith("ok")


async def test_what_another_process_revoked_is_listed_at_once(desk: Desk, tmp_path: Path) -> None:
    """The log is read before it is shown."""
    other = SqliteLog(tmp_path / "state.db")
    await other.open()
    await other.append([NewEntry("sid:elsewhere", clock.now() + 100, "logout")])
    _, told, _ = await desk.ask("GET", "/api/revocations", **BEARER)
    await other.close()
    assert [entry["key"] for entry in told["revocations"]] == ["sid:elsewhere"]


async def test_a_revocation_that_the_disk_does_not_take_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It denies here at once, is listed without a position, and the answer does not call it durable."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.log._files, "write", full)
    _, told = await desk.revoke({"sid": "S1"})
    assert told["durable"] is False
    _, listed, _ = await desk.ask("GET", "/api/revocations", **BEARER)
    assert [(entry["key"], entry["position"]) for entry in listed["revocations"]] == [("sid:S1", None)]


async def test_sessions_are_those_that_live(desk: Desk) -> None:
    """The sid is there, because revoking needs it; one that was ended, or has been idle for too long, is not."""
    now = clock.now()
    idle = replace(session("idle"), log_id=desk.log.log_id, login_at=now - 1_800 - BETWEEN_SIGHTINGS - 1)
    await desk.sign_ins.record(signed_in(idle, agent="curl/8", client="10.0.0.9"))
    for number in (1, 2):
        held = replace(session(f"S{number}"), log_id=desk.log.log_id, login_at=now)
        await desk.sign_ins.record(signed_in(held, agent="curl/8", client=f"10.0.0.{number}"))
    await desk.revoke({"sid": "S2"})
    status, told, _ = await desk.ask("GET", "/api/sessions", **BEARER)
    assert (status, told["complete"], told["total"]) == (200, True, 1)
    (only,) = told["sessions"]
    assert only == {
        "sid": "S1", "session": session_mark("S1"), "user": "alice", "sub": "alice", "iss": "https://idp", "email": None, "login_at": now,
        "last_seen": now, "until": session("S1").absolute_until, "client": "10.0.0.1", "device": "curl",
    }  # fmt: skip
    assert "once a minute" in told["note"]


@pytest.mark.parametrize(
    ("asked", "ended"),
    [
        ({"sid": "S1"}, 1), ({"sub": "alice", "iss": "https://idp"}, 2), ({"email": "bob@example.com"}, 1), ({"all": True}, 3),
        ({"sid": "S9"}, 0), ({"sub": "alice"}, 0), ({"email": "bob@example.org"}, 0),
    ],
)  # fmt: skip
async def test_a_revocation_says_how_many_sign_ins_it_has_ended(
    desk: Desk, asked: object, ended: int
) -> None:
    """Each once: what had ended before, or is somebody else's, does not count."""
    now, bob = clock.now(), replace(session("S3").principal, subject="bob", email="bob@example.com")
    for number in (1, 2, 3):
        held = replace(session(f"S{number}"), log_id=desk.log.log_id, login_at=now)
        held = replace(held, principal=bob, aliases=("email:bob@example.com",)) if number == 3 else held
        await desk.sign_ins.record(signed_in(held, agent="curl/8", client="10.0.0.1"))
    for expected in (ended, 0):
        _, told = await desk.revoke(asked)
        assert (told["ended"], told["complete"], told["durable"]) == (expected, True, True)


async def test_sign_ins_beyond_the_list_are_not_said_to_be_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more than are read only `all` is known to have ended them."""
    monkeypatch.setattr(admin, "LISTED", 1)
    now = clock.now()
    for number in (1, 2):
        held = replace(session(f"S{number}"), log_id=desk.log.log_id, login_at=now)
        await desk.sign_ins.record(signed_in(held, agent="curl/8", client="10.0.0.1"))
    _, told = await desk.revoke({"email": "nobody@example.com"})
    assert (told["ended"], told["complete"]) == (0, False)
    _, told = await desk.revoke({"all": True})
    assert (told["ended"], told["complete"]) == (2, True)


async def test_a_list_that_cannot_be_read_says_so(desk: Desk, tmp_path: Path) -> None:
    """An empty list alone would look like an answer."""
    (tmp_path / "state.db").rename(tmp_path / "gone")
    _, told, _ = await desk.ask("GET", "/api/sessions", **BEARER)
    assert (told["complete"], told["sessions"]) == (False, [])
    assert "/readyz" in told["note"]
    _, told = await desk.revoke({"sid": "S1"})
    assert (told["ended"], told["complete"]) == (0, False)
    (tmp_path / "gone").rename(tmp_path / "state.db")


def test_the_token_is_in_no_repr() -> None:
    """Options end up in tracebacks."""
    assert TOKEN not in repr(AdminOptions(TOKEN, ISSUER, 60, 60))
