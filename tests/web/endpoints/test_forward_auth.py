"""The check itself: 200 is a pass, and nothing else is (rules R7, R8, R10, R31; guarantee 1)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.core import clock
from gateway.core.http import own_cookies
from gateway.core.session.revocation_keys import sid_key
from gateway.core.session.session import Principal, Session
from gateway.core.signout.revocation import NewEntry
from gateway.demo import configuration
from gateway.demo.options import DemoOptions
from tests.fakes.door import Client, Response
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.fakes.ports import on_free_ports
from tests.fakes.production_log import lines, production_log

APP, HOST = "http://app.localhost:8080", "app.localhost:8080"
NAVIGATION = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none")
FETCH = ("Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Sec-Fetch-Site: same-origin")
SECRET = "0123456789abcdef0123456789abcdef"
OPEN = '@id("open") permit (principal is Anonymous, action, resource);'

ALICE = Principal(
    issuer="https://idp", subject="s-1", user="alice@example.com", email="alice@example.com",
    groups=("staff", "a,b"), claims={"dept": "Überbau"},
)  # fmt: skip


@dataclass
class Lab:
    """A gateway on loopback, and a proxy that asks it."""

    gateway: Gateway
    port: int

    def session(self, **changes: Any) -> Session:
        now = clock.now()
        made = Session(
            sid="sid-1", log_id=self.gateway.log.log_id, principal=ALICE, aliases=("sub:https://idp|s-1",),
            login_at=now - 60, seen=self.gateway.log.index.position, idle_until=now + 40_000, absolute_until=now + 40_000,
        )  # fmt: skip
        return replace(made, **changes)

    def cookie(self, **changes: Any) -> str:
        """The Cookie header of a live session."""
        sealed = self.gateway.sessions.seal(self.session(**changes), own_cookies.NO_COOKIES, clock.now())
        return "Cookie: " + "; ".join(line.partition(";")[0] for line in sealed)

    async def ask(
        self,
        *headers: str,
        target: str = "/reports",
        method: str = "GET",
        host: str = HOST,
        verb: str = "GET",
        path: str = "/oauth2/auth",
        bare: bool = False,
        own_host: str = HOST,
        peer: str = "127.0.0.1",
    ) -> Response:
        """The answer to one question.

        :param bare: without the X-Original headers. :param own_host: what it calls us. :param peer: where it comes from.
        """
        original = () if bare else (f"X-Original-Method: {method}", f"X-Original-URL: http://{host}{target}")
        lines = (f"{verb} {path} HTTP/1.1", f"Host: {own_host}", *original, *headers, "", "")
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, local_addr=(peer, 0)))
        try:
            await client.send("\r\n".join(lines).encode("latin-1"))
            return await client.response(head_only=verb == "HEAD")
        finally:
            await client.close()


@asynccontextmanager
async def running(
    directory: Path,
    *,
    forward_auth: str = "{caller: nginx, hosts: [further.localhost]}",
    trusted: str = "127.0.0.1/32",
    login: int = 401,
    policies: str = "builtin:groups",
) -> AsyncIterator[Lab]:
    path = configuration.write(directory, on_free_ports(DemoOptions(app=APP)))
    pieces = {
        "key_files: [session-key]": "key_files: [session-key]\n  idle: 12h",
        "headers: {user: email}": "headers: {user: email, claims: {X-Dept: dept}}",
        "policies: builtin:groups": f"policies: {policies}",
    }
    text = put(path.read_text(), pieces)
    if forward_auth:
        text += f"forward_auth: {forward_auth}\n"
    (directory / "caller-secret").write_text(f"{SECRET}\n")
    (directory / "caller-secret").chmod(0o600)
    path.write_text(text + f"trusted_proxies: [{trusted}]\n")
    loaded = load(path, {})
    if login == 302:  # the configuration refuses it for nginx, which is the only caller there is yet
        assert loaded.forward_auth is not None
        loaded = replace(loaded, forward_auth=replace(loaded.forward_auth, caller="nginx", login=302))
    gateway = Gateway(loaded)
    await gateway.open()
    server = await asyncio.get_running_loop().create_server(gateway.door.listener(), "127.0.0.1", 0)
    try:
        yield Lab(gateway, server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await gateway.close()


@pytest.fixture
async def lab(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    async with running(tmp_path, **getattr(request, "param", {})) as made:
        yield made


def code(answer: Response) -> str:
    """The code in the header, which is the body's as well."""
    told = (answer.value(b"x-gateway-reason") or b"").decode()
    if (answer.value(b"content-type") or b"").startswith(b"application/problem+json"):
        assert json.loads(answer.body)["code"] == told
        assert json.loads(answer.body)["status"] == answer.status
    assert not answer.values(b"set-cookie")
    assert answer.value(b"cache-control") == b"no-store"
    return told


async def test_r31_a_pass_carries_every_identity_header(lab: Lab) -> None:
    """200, no body, no cookie; what is unknown is there and empty, so that callers overwrite what a client sent."""
    answer = await lab.ask(lab.cookie(), *FETCH)
    assert (answer.status, answer.body, code(answer)) == (200, b"", "")
    assert (
        answer.values(b"x-auth-request-user")
        == answer.values(b"x-auth-request-email")
        == [ALICE.user.encode()]
    )
    assert answer.values(b"x-auth-request-groups") == [b"staff,a%2Cb"]
    assert answer.values(b"x-auth-request-preferred-username") == [b""]
    assert answer.values(b"x-dept") == [b"%C3%9Cberbau"]


@pytest.mark.parametrize("verb", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("path", ["/oauth2/auth", "/oauth2/auth/", "/oauth2/auth/some/path?x=y"])
async def test_any_method_and_any_path_below_ask_the_same(lab: Lab, verb: str, path: str) -> None:
    """HAProxy asks by HEAD, Envoy with the original path behind the prefix; what they ask about is elsewhere."""
    framing = () if verb in {"GET", "HEAD", "OPTIONS"} else ("Content-Length: 0",)
    assert (await lab.ask(lab.cookie(), *FETCH, *framing, verb=verb, path=path)).status == 200
    assert (await lab.ask(*FETCH, *framing, verb=verb, path=path)).status == 401


@pytest.mark.parametrize("lab", [{"forward_auth": ""}], indirect=True)
async def test_it_is_closed_unless_it_is_configured(lab: Lab) -> None:
    """404, also for somebody who is signed in."""
    assert (await lab.ask(lab.cookie(), *FETCH)).status == 404


async def test_nobody_is_sent_to_sign_in(lab: Lab) -> None:
    """401; people get the address of the sign-in with the way back, absolute, and programs do not."""
    person = await lab.ask(*NAVIGATION, target="/a?b=c")
    assert (person.status, code(person)) == (401, "login_required")
    assert person.value(b"location") == f"{APP}/oauth2/start?rd=/a%3Fb%3Dc".encode()
    for headers in (FETCH, (), ("Accept: */*",), (*NAVIGATION, "Sec-Purpose: prefetch")):
        program = await lab.ask(*headers)
        assert (program.status, code(program), program.value(b"location")) == (401, "login_required", None)
        assert json.loads(program.body)["login_url"] == f"{APP}/oauth2/start"
        assert program.value(b"www-authenticate")


@pytest.mark.parametrize("lab", [{"login": 302}], indirect=True)
async def test_a_caller_that_hands_redirects_on_gets_one(lab: Lab) -> None:
    """`login: 302`: a redirect to an absolute address for people, still 401 for programs."""
    person = await lab.ask(*NAVIGATION)
    assert (person.status, person.value(b"location")) == (302, f"{APP}/oauth2/start?rd=/reports".encode())
    assert (await lab.ask(*FETCH)).status == 401


async def test_r02_the_barrier_stands_here_too(lab: Lab) -> None:
    """A session ended by a logout: 401 logout_in_progress, by its cookie alone and without the chain's."""
    now = clock.now()
    await lab.gateway.log.append([NewEntry(sid_key("sid-1"), now + 50_000, "logout", barrier=now + 120)])
    answer = await lab.ask(lab.cookie(seen=0), *FETCH)
    assert (answer.status, code(answer)) == (401, "logout_in_progress")
    person = await lab.ask(lab.cookie(seen=0), *NAVIGATION)
    assert (person.status, code(person)) == (401, "logout_in_progress")
    assert person.value(b"location") == f"{APP}/oauth2/start?rd=/reports".encode()


@pytest.mark.parametrize(
    "change",
    [
        {"log_id": "another"}, {"idle_until": 1}, {"absolute_until": 1}, {"login_at": 1},
    ],
)  # fmt: skip
async def test_a_session_that_is_over_does_not_pass(lab: Lab, change: dict[str, Any]) -> None:
    """Deadlines and the log's identity are asked for on every question."""
    assert (await lab.ask(lab.cookie(**change), *FETCH)).status == 401


async def test_r04_a_session_that_has_seen_more_of_the_log_does_not_pass(lab: Lab) -> None:
    """It proves that the log is an older copy: from then on no session of before passes."""
    before = lab.cookie()
    assert (await lab.ask(before, *FETCH)).status == 200
    ahead = lab.cookie(seen=lab.gateway.log.index.position + 1)
    async with asyncio.timeout(PATIENCE):
        while (status := (await lab.ask(ahead, *FETCH)).status) != 401:
            assert status == 503  # the disk takes its time
    assert (await lab.ask(before, *FETCH)).status == 401
    assert (await lab.ask(lab.cookie(), *FETCH)).status == 200


async def test_r10_it_neither_refreshes_nor_seals_anew(lab: Lab) -> None:
    """Where the reverse proxy would move the idle deadline, the check leaves the cookie alone."""
    answer = await lab.ask(lab.cookie(idle_until=clock.now() + 60), *NAVIGATION)
    assert (answer.status, answer.values(b"set-cookie")) == (200, [])


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({"target": "/admin/users"}, "denied"), ({"method": "DELETE", "target": "/api/x"}, "denied"),
        ({"method": "get"}, "unknown_method"), ({"method": "TRACE"}, "original_malformed"),
        ({"target": "/a%2fb"}, "encoded_slash"), ({"target": "/a/../b"}, "ambiguous_target"), ({"target": "//a"}, "ambiguous_target"),
        ({"host": "evil.test"}, "unknown_host"), ({"host": "app.localhost"}, "unknown_host"),
        ({"bare": True}, "original_missing"),
    ],
)  # fmt: skip
async def test_what_is_refused_is_403(lab: Lab, question: dict[str, Any], reason: str) -> None:
    """Whatever the reason: nginx takes every other refusal for an error of the gateway."""
    answer = await lab.ask(lab.cookie(), *FETCH, **question)
    assert (answer.status, code(answer)) == (403, reason)
    page = await lab.ask(lab.cookie(), *NAVIGATION, **question)
    assert page.status == 403
    assert (page.value(b"content-type") or b"").startswith(b"text/html")


async def test_r07_further_hosts_may_be_asked_about(lab: Lab) -> None:
    """`forward_auth.hosts`: also where the door itself does not answer for the name."""
    assert (await lab.ask(lab.cookie(), *FETCH, host="further.localhost")).status == 200


@pytest.mark.parametrize("lab", [{"trusted": "10.0.0.0/8"}], indirect=True)
async def test_r07_loopback_is_not_trusted_by_itself(lab: Lab) -> None:
    """CVE-2026-40575: a question from an address that is not listed is 403."""
    with production_log() as log:
        answer = await lab.ask(lab.cookie(), *FETCH)
    assert (answer.status, code(answer)) == (403, "untrusted_caller")
    (line,) = lines(log, "forward_auth_refused")
    assert (line["level"], line["reason"], line["peer"]) == ("warning", "untrusted_caller", "127.0.0.1")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", ("Origin: https://evil.test", "Sec-Fetch-Site: cross-site"), 403),
        ("POST", ("Origin: http://other.localhost:8080", "Sec-Fetch-Site: same-site"), 403),
        ("POST", ("Origin: null",), 403), ("POST", (), 403),
        ("POST", ("Sec-Fetch-Site: same-origin",), 200), ("POST", (f"Origin: {APP}",), 200),
        ("GET", ("Sec-WebSocket-Key: x", "Origin: https://evil.test"), 403),
        ("GET", ("Sec-WebSocket-Key: x", f"Origin: {APP}"), 200),
        ("GET", ("Upgrade: websocket", "Origin: https://evil.test"), 403),
        ("OPTIONS", (f"Origin: {APP}", "Access-Control-Request-Method: PUT"), 403),
        ("GET", ("Origin: https://evil.test", "Sec-Fetch-Site: cross-site"), 200),
    ],
)  # fmt: skip
async def test_r08_the_original_methods_origin_counts(
    lab: Lab, method: str, headers: tuple[str, ...], status: int
) -> None:
    """Unsafe methods and handshakes need the same origin; preflights are never handed on."""
    admin = lab.cookie(principal=replace(ALICE, groups=("admins", "staff")))
    answer = await lab.ask(admin, *headers, method=method, target="/api/orders")
    assert answer.status == status
    assert code(answer) == ("cross_origin" if status == 403 else "")


async def test_r09_anonymous_never_gets_an_identity(tmp_path: Path) -> None:
    """A route that a policy opens passes without a session; the identity headers are there and empty."""
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "open.cedar").write_text(OPEN)
    async with running(tmp_path, policies=str(policies)) as lab:
        answer = await lab.ask(*NAVIGATION)
        assert answer.status == 200
        names = (b"x-auth-request-user", b"x-auth-request-email", b"x-auth-request-groups",
                 b"x-auth-request-preferred-username", b"x-dept")  # fmt: skip
        assert [answer.values(name) for name in names] == [[b""]] * 5
        signed_in = await lab.ask(lab.cookie(), *NAVIGATION)
        assert signed_in.status == 403


async def test_r05_a_stale_log_is_no_pass(lab: Lab) -> None:
    """503 while the gateway cannot tell what has been ended."""
    lab.gateway.standing.rules = replace(lab.gateway.standing.rules, max_staleness=-1)
    answer = await lab.ask(lab.cookie(), *FETCH)
    assert (answer.status, code(answer)) == (503, "state_stale")
    assert answer.value(b"retry-after")


async def test_an_internal_error_is_no_pass(lab: Lab) -> None:
    """CVE-2024-23324: whatever breaks inside is a 5xx."""

    class Broken:
        def decide(self, **_: Any) -> Any:
            raise RuntimeError("broken")

    lab.gateway.gate.policy = Broken()
    assert (await lab.ask(lab.cookie(), *FETCH)).status == 500


@pytest.mark.parametrize(
    "header",
    [
        "User-Agent: GoogleHC/1.0", "User-Agent: kube-probe/1.30", "Accept: text/event-stream", "Authorization: Bearer x",
        "X-Forwarded-Uri: /oauth2/start", "X-Original-URI: /oauth2/start", "X-Forwarded-Method: OPTIONS",
        "X-Auth-Request-User: alice", "Cookie: session=1", "Cookie: __Host-session=", "Cookie: \u00a0__Host-session=x",
    ],
)  # fmt: skip
async def test_cve_2026_34457_no_header_opens_a_route(lab: Lab, header: str) -> None:
    """No user agent, media type, forwarded header or cookie of any other kind is a pass."""
    assert (await lab.ask(header)).status == 401


_edits = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0x20, 0xFF), st.sampled_from("rid")), min_size=1, max_size=4
)


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(edits=_edits, around=st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=30))
async def test_cve_2026_25748_malformed_cookies_never_pass(
    lab: Lab, edits: list[tuple[int, int, str]], around: str
) -> None:
    """A session cookie with bytes replaced, inserted or deleted, among any other bytes, is no session."""
    whole = lab.cookie().removeprefix("Cookie: ")
    value = list(whole.partition("=")[2])
    for where, byte, how in edits:
        at = where % max(len(value), 1)
        value[at : at + (how != "i")] = [] if how == "d" else [chr(byte)]
    if "".join(value).strip(" \t").partition(";")[0].strip(" \t") == whole.partition("=")[2]:
        return
    answer = await lab.ask(f"Cookie: a={around}; __Host-session={''.join(value)}; b={around}", *FETCH)
    assert answer.status in {400, 401}
