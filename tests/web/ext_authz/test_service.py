"""The check over gRPC is the check over HTTP: the same gateway decides, and nothing but its 200 is a pass."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from gateway.app.accepting import listening_socket
from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.core import clock
from gateway.core.http import own_cookies
from gateway.core.session.revocation_keys import sid_key
from gateway.core.session.session import Principal, Session
from gateway.core.signout.revocation import NewEntry
from gateway.demo import configuration
from gateway.demo.options import DemoOptions
from gateway.settings.addresses import ListenAddress
from gateway.web.ext_authz.messages_pb2 import CheckResponse, HealthCheckRequest, HealthCheckResponse
from tests.fakes.certificates import Authority
from tests.fakes.grpc_caller import CHECK, HEALTH, GrpcCaller, framed, question
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.fakes.ports import on_free_ports
from tests.web.ext_authz.test_question import _requests, asked

APP, HOST = "http://app.localhost:8080", "app.localhost:8080"
NAVIGATION = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("sec-fetch-site", "none")]
FETCH = [("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), ("sec-fetch-site", "same-origin")]
ALICE = Principal(issuer="https://idp", subject="s-1", user="alice@example.com", groups=("staff",))


class Lab:
    """A gateway that is asked over gRPC alone."""

    def __init__(self, gateway: Gateway, port: int, opened: AsyncExitStack) -> None:
        self.gateway = gateway
        self.port = port
        self._opened = opened

    async def caller(self, tls: ssl.SSLContext | None = None) -> GrpcCaller:
        made = await GrpcCaller.at(self.port, tls)
        self._opened.push_async_callback(made.close)
        return made

    def cookie(self, *, sid: str = "sid-1", idle: int = 40_000) -> str:
        now = clock.now()
        session = Session(
            sid=sid, log_id=self.gateway.log.log_id, principal=ALICE, aliases=("sub:https://idp|s-1",), login_at=now - 60,
            seen=self.gateway.log.index.position, idle_until=now + idle, absolute_until=now + 40_000,
        )  # fmt: skip
        lines = self.gateway.sessions.seal(session, own_cookies.NO_COOKIES, now)
        return "; ".join(line.partition(";")[0] for line in lines)


@asynccontextmanager
async def running(
    directory: Path,
    *,
    grpc: str = "{listen: 127.0.0.1:0}",
    trusted: str = "127.0.0.1/32",
    policies: str = "builtin:groups",
) -> AsyncIterator[Lab]:
    path = configuration.write(directory, on_free_ports(DemoOptions(app=APP)))
    pieces = {
        "headers: {user: email}": "headers: {user: sub, claims: {X-Dept: dept}}",
        "policies: builtin:groups": f"policies: {policies}",
    }
    text = put(path.read_text(), pieces)
    asks = f"forward_auth: {{caller: envoy, grpc: {grpc}}}\ntrusted_proxies: [{trusted}]\n"
    path.write_text(text + asks)
    async with AsyncExitStack() as opened:
        gateway = Gateway(load(path, {}))
        await gateway.open()
        opened.push_async_callback(gateway.close)
        assert gateway.questions is not None
        sock = listening_socket(ListenAddress("127.0.0.1", 0), "listen")
        port = sock.getsockname()[1]
        await gateway.questions.listen(sock)
        opened.push_async_callback(gateway.questions.drain, 0.0)
        yield Lab(gateway, port, opened)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running(tmp_path) as made:
        yield made


def denial(answer: CheckResponse) -> tuple[int, dict[str, str], str]:
    assert answer.status.code
    denied = answer.denied_response
    return denied.status.code, {each.header.key: each.header.value for each in denied.headers}, denied.body


async def test_people_are_led_to_the_sign_in_and_programs_hear_401(lab: Lab) -> None:
    """As over HTTP: 302 with the way back, or the problem document; neither is a pass."""
    caller = await lab.caller()
    told = await caller.ask("/a?b=c", headers=NAVIGATION)
    status, headers, _ = denial(told.check)
    assert not told.passed
    assert (status, headers["location"]) == (302, f"{APP}/oauth2/start?rd=/a%3Fb%3Dc")
    status, headers, body = denial((await caller.ask("/a", headers=FETCH)).check)
    assert (status, headers["content-type"]) == (401, "application/problem+json")
    assert json.loads(body)["code"] == headers["x-gateway-reason"] == "login_required"


async def test_r31_a_pass_says_who_it_is_and_removes_whatever_a_client_says_of_itself(lab: Lab) -> None:
    """In any spelling, ours and those of other proxies; what Envoy itself writes stays."""
    spoofed = [
        ("x-auth-request-user", "mallory"), ("x_auth_request_user", "mallory"), ("x-dept", "mallory"),
        ("x.dept", "mallory"), ("remote-user", "mallory"), ("x-forwarded-host", "evil.test"), ("accept", "*/*"),
        ("x-http-method-override", "DELETE"), ("x-forwarded-for", "10.0.0.1"), ("x-forwarded-proto", "https"),
        ("upgrade", "websocket"), ("x-auth-request-assertion", "mallory"),
    ]  # fmt: skip
    caller = await lab.caller()
    told = await caller.ask(headers=[("cookie", f"{lab.cookie()}; a=1"), *FETCH, *spoofed])
    assert told.passed
    ok = told.check.ok_response
    heard = {each.header.key: each.header.value for each in ok.headers}
    assert heard["x-auth-request-user"] == "alice@example.com"
    assert heard["cookie"] == "a=1"
    removed = set(ok.headers_to_remove)
    assert {"x_auth_request_user", "x-dept", "x.dept", "remote-user", "x-forwarded-host"} <= removed
    assert {"x-http-method-override", "x-auth-request-email", "x-auth-request-assertion"} <= removed
    assert not removed & {"x-forwarded-for", "x-forwarded-proto", "upgrade", "accept", *heard}


async def test_activity_moves_the_idle_deadline_by_a_cookie_of_the_pass(lab: Lab) -> None:
    """Envoy hands `response_headers_to_add` on, so `session.idle` works without Redis; a fresh cookie is left alone."""
    caller = await lab.caller()
    fresh = await caller.ask(headers=[("cookie", lab.cookie()), *FETCH])
    assert fresh.passed
    assert not fresh.check.ok_response.response_headers_to_add
    old = await caller.ask(headers=[("cookie", lab.cookie(idle=30)), *FETCH])
    added = old.check.ok_response.response_headers_to_add
    assert [each.header.key for each in added] == ["set-cookie"] * len(added)
    assert added[0].header.value.startswith("__Host-session")
    renewed = "; ".join(each.header.value.partition(";")[0] for each in added)
    assert (await caller.ask(headers=[("cookie", renewed), *FETCH])).passed


async def test_after_a_sign_out_the_next_check_is_refused(lab: Lab) -> None:
    """The same log decides."""
    caller = await lab.caller()
    cookie = lab.cookie()
    assert (await caller.ask(headers=[("cookie", cookie), *FETCH])).passed
    await lab.gateway.log.append([NewEntry(sid_key("sid-1"), clock.now() + 50_000, "logout")])
    told = await caller.ask(headers=[("cookie", cookie), *FETCH])
    assert denial(told.check)[0] == 401


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ({"host": "evil.test"}, 421),
        ({"method": "TRACE"}, 405),
        ({"method": "BREW"}, 405),
        ({"target": "*"}, 400),
        ({"target": "/a/../b"}, 400),
        ({"target": "/a%2Fb"}, 403),
        ({"headers": [("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")]}, 400),
        ({"headers": [("a", "b" * 40_000)]}, 431),
        (
            {
                "method": "POST",
                "headers": [("origin", "https://evil.test"), ("sec-fetch-site", "cross-site")],
            },
            403,
        ),
    ],
)
async def test_what_cannot_be_answered_is_a_refusal(lab: Lab, what: dict[str, object], status: int) -> None:
    """With the cookie of somebody who is signed in."""
    headers = [("cookie", lab.cookie()), *what.pop("headers", [])]  # type: ignore[misc]  # a list of pairs
    caller = await lab.caller()
    told = await caller.ask(**what, headers=headers)  # type: ignore[arg-type]  # of the table above, or made by hypothesis
    assert not told.passed
    assert denial(told.check)[0] == status


async def test_a_question_from_elsewhere_is_refused(tmp_path: Path) -> None:
    """Only `trusted_proxies` may ask (rule R7); loopback is not among them unless it is listed."""
    async with running(tmp_path, trusted="10.0.0.0/8") as lab:
        caller = await lab.caller()
        told = await caller.ask(headers=[("cookie", lab.cookie())])
        status, headers, _ = denial(told.check)
        assert (status, headers["x-gateway-reason"]) == (403, "untrusted_caller")


async def test_r07_a_question_that_names_no_client_is_not_about_envoy(tmp_path: Path) -> None:
    """Its network may be let in where nobody else is."""
    (tmp_path / "inside").mkdir()
    condition = 'when { context.client.isInRange(ip("127.0.0.0/8")) };'
    (tmp_path / "inside" / "inside.cedar").write_text(
        f'@id("inside") permit (principal is Anonymous, action, resource) {condition}'
    )
    async with running(tmp_path, policies=str(tmp_path / "inside")) as lab:
        caller = await lab.caller()
        for _ in range(2):
            assert (await caller.ask(headers=[("x-forwarded-for", "127.0.1.9"), *FETCH])).passed
            status, headers, _ = denial((await caller.ask(headers=FETCH)).check)
            assert (status, headers["x-gateway-reason"]) == (403, "policy_error")


async def test_over_http_nobody_may_ask_then(lab: Lab) -> None:
    """There is one place for questions."""
    assert lab.gateway.door._table.is_question.__self__._below is None  # type: ignore[attr-defined]  # of a bound method


async def test_a_message_that_is_too_large_is_no_pass(lab: Lab) -> None:
    """RESOURCE_EXHAUSTED, which Envoy answers with `status_on_error`; then the next question is answered."""
    caller = await lab.caller()
    stream = caller.begin()
    caller.send(stream, framed(question(headers=[("a", "b" * 100_000)]))[:50_000], ends=False)
    told = await caller.answer(stream)
    assert (told.status, told.passed) == ("8", False)
    assert (await caller.ask(headers=[("cookie", lab.cookie()), *FETCH])).passed


async def test_health_says_whether_questions_should_come(lab: Lab) -> None:
    """Of all and of the one service; NOT_SERVING as soon as the gateway is about to stop, or its log too old."""
    caller = await lab.caller()

    async def health(service: str = "") -> int:
        told = await caller.call(HealthCheckRequest(service=service).SerializeToString(), HEALTH)
        return HealthCheckResponse.FromString(told.message).status

    assert await health() == await health("envoy.service.auth.v3.Authorization") == 1
    assert (await caller.call(HealthCheckRequest(service="other").SerializeToString(), HEALTH)).status == "5"
    assert (await caller.call(b"\xff\xff", HEALTH)).status == "3"
    assert (await caller.call(b"", "/grpc.health.v1.Health/List")).status == "12"
    assert (await caller.call(b"", CHECK + "s")).status == "12"
    lab.gateway.drain()
    assert await health() == 2


async def test_mtls_refuses_whoever_shows_no_certificate_and_follows_its_files(tmp_path: Path) -> None:
    """Nobody asks without a certificate of the authority, nor with another one's; a new authority needs no restart."""
    ours, theirs, server = (Authority.make(tmp_path, name) for name in ("ours", "theirs", "server"))
    server.server("gateway.test")
    for who, authority in (("envoy", ours), ("other", theirs)):
        authority.server(who)
    pem, trusted = tmp_path / "server.gateway.test.pem", tmp_path / "trusted.pem"
    trusted.write_bytes(ours.file.read_bytes())
    grpc = f"{{listen: 127.0.0.1:0, cert_file: {pem}, key_file: {pem}, client_ca_file: {trusted}}}"

    def showing(certificate: Path | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=server.file)
        context.check_hostname = False
        context.set_alpn_protocols(["h2"])
        if certificate is not None:
            context.load_cert_chain(certificate)
        return context

    envoy, other = tmp_path / "ours.envoy.pem", tmp_path / "theirs.other.pem"
    async with running(tmp_path, grpc=grpc) as lab:
        caller = await lab.caller(showing(envoy))
        assert (await caller.ask(headers=[("cookie", lab.cookie()), *FETCH])).passed
        for certificate in (None, other):
            await _refused(lab, showing(certificate))
        trusted.write_bytes(theirs.file.read_bytes())
        assert lab.gateway.questions is not None
        assert lab.gateway.questions.certificate is not None
        await lab.gateway.questions.certificate.look()
        await _refused(lab, showing(envoy))
        renewed = await lab.caller(showing(other))
        assert (await renewed.ask(headers=[("cookie", lab.cookie()), *FETCH])).passed


async def _refused(lab: Lab, tls: ssl.SSLContext) -> None:
    """Whether at the handshake or, by TLS 1.3, right behind it: nothing is ever answered."""
    made = GrpcCaller()
    try:
        await asyncio.get_running_loop().create_connection(lambda: made, "127.0.0.1", lab.port, ssl=tls)
        await asyncio.wait_for(made.ended.wait(), PATIENCE)
    except OSError:  # ssl.SSLError is one
        return
    assert not made.ready.is_set()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(_requests)
async def test_whatever_is_asked_nobody_without_a_session_passes(lab: Lab, request: object) -> None:
    """A refusal or a status, and the connection goes on."""
    caller = await lab.caller()
    told = await caller.call(asked(request))  # type: ignore[arg-type]  # of the table above, or made by hypothesis
    assert not told.passed
    assert told.status == "0"
    assert denial(told.check)[0] >= 300
