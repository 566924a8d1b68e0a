"""The door: whatever happens inside, there is an answer, and never a pass (guarantee 1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict
from structlog.testing import capture_logs

from gateway.core.errors import ProviderError, UpstreamError
from gateway.core.http.facts import DoorRules, RequestFacts
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.seldom import Seldom
from gateway.web.door.access_log import AccessLog
from gateway.web.door.limits import DoorLimits
from gateway.web.door.listener import Door
from gateway.web.door.table import EndpointTable
from gateway.web.messages import Request, Response
from gateway.web.pages.pages import Page
from gateway.web.pages.respond import Prepared
from tests.fakes.door import Client

Answers = Callable[[Request, RequestFacts], Awaitable[Response]]


class Behind:
    """Stands where the gate stands, and answers as it is told."""

    def __init__(self) -> None:
        self.answer: Answers = self.fine
        self.origins = {"https://app.test", "https://partner.test"}
        self.asked = 0

    async def fine(self, request: Request, facts: RequestFacts) -> Response:
        return Response(body=b"through")

    async def handle(self, request: Request, facts: RequestFacts) -> Response:
        self.asked += 1
        return await self.answer(request, facts)


@pytest.fixture
async def behind() -> Behind:
    return Behind()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def door(behind: Behind, metrics: Metrics) -> Door:
    gate: Any = behind
    rules = DoorRules("https", frozenset({"app.test"}))
    return Door(
        rules,
        DoorLimits(8_190, 10),
        table=EndpointTable({}, "/oauth2"),
        gate=gate,
        access_log=AccessLog(metrics, access=False),
    )


@pytest.fixture
async def client(door: Door) -> AsyncIterator[Client]:
    listener = door.listener()
    server = await asyncio.get_running_loop().create_server(listener, "127.0.0.1", 0)
    made = Client(*await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1]))
    yield made
    await made.close()
    server.close()
    await listener.shutdown(1)


async def test_a_request_goes_to_the_gate(client: Client, behind: Behind) -> None:
    """When it is none of our own paths, and the connection serves the next one."""
    for _ in range(2):
        answer = await client.get("/x")
        assert (answer.status, answer.body) == (200, b"through")
    assert behind.asked == 2


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("zzz"), 500), (KeyError("zzz"), 500), (AssertionError("zzz"), 500), (RecursionError("zzz"), 500),
        (UpstreamError("connect_failed", "zzz"), 502), (ProviderError("x", "zzz"), 502), (TimeoutError("zzz"), 500),
        (web.HTTPFound("/zzz"), 500),
    ],
)  # fmt: skip
async def test_cve_2024_23324_an_error_inside_is_a_5xx(
    client: Client, behind: Behind, error: Exception, status: int
) -> None:
    """Of whatever kind; nothing of it is told, and the door stays open."""

    async def fails(request: Request, facts: RequestFacts) -> Response:
        raise error

    behind.answer = fails
    answer = await client.get("/x")
    assert answer.status == status
    assert b"zzz" not in answer.raw + answer.body
    behind.answer = behind.fine
    assert (await client.get("/x")).status == 200


async def test_connect_and_trace_are_refused_and_connect_closes(client: Client, behind: Behind) -> None:
    """Neither is a request for a page (CVE-2026-71324)."""
    answer = await client.get("/x", method="TRACE")
    assert answer.status == 405
    assert await client.rest() == b""
    assert behind.asked == 0


async def test_a_large_body_is_refused_by_its_announced_length(client: Client, behind: Behind) -> None:
    """Before a byte of it is read."""
    answer = await client.get("/x", "Content-Length: 11", method="POST")
    assert answer.status == 413
    assert behind.asked == 0


@pytest.mark.parametrize(
    ("line", "status"), [("X-A: " + "a" * 9_000, 431), ("X A: b", 400), (": b", 400), ("X-A: a\x00b", 400)]
)
async def test_r37_what_cannot_be_parsed_is_not_repeated(
    client: Client, behind: Behind, line: str, status: int
) -> None:
    """A page of ours, and the connection is closed."""
    answer = await client.get("/zzz", line)
    assert answer.status == status
    assert b"zzz" not in answer.body
    assert b"aaaa" not in answer.body
    assert await client.rest() == b""
    assert behind.asked == 0


async def test_while_draining_our_own_answers_ask_the_client_to_leave(client: Client, door: Door) -> None:
    """So that keep-alive connections move to another replica."""
    door.draining = True
    answer = await client.get("/x")
    assert answer.value(b"connection") == b"close"


async def test_what_is_no_request_is_counted_and_told_without_its_bytes(door: Door, metrics: Metrics) -> None:
    """By its fault; however many there are, the log has a line now and then."""
    listener = door.listener()
    server = await asyncio.get_running_loop().create_server(listener, "127.0.0.1", 0)
    large = b"GET /zzz HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"z" * 9_000)
    with capture_logs() as told:
        for data in (b"zzz zzz\r\n\r\n", large, b"zzz\r\n", b"\x00"):
            client = Client(*await asyncio.open_connection(*server.sockets[0].getsockname()))
            await client.send(data)
            assert (await client.response()).status in {400, 431}
            await client.close()
    server.close()
    await listener.shutdown(1)
    exposed = metrics.exposition().decode()
    assert 'gateway_unreadable_requests_total{reason="malformed_request"} 3.0' in exposed
    assert 'gateway_unreadable_requests_total{reason="headers_too_large"} 1.0' in exposed
    assert [(line["event"], line["client"]) for line in told] == [("unreadable_request", "127.0.0.1")] * 2
    assert "zzz" not in repr(told)


@pytest.mark.parametrize("at_once", [True, False])
async def test_an_answer_that_cannot_be_sent_ends_the_connection(
    client: Client, behind: Behind, at_once: bool
) -> None:
    """Its client would wait for ever; the door stays open for others."""

    def broken(request: Request, facts: RequestFacts) -> Any:
        response = Response(headers=CIMultiDict({"X": "a\r\nSet-Cookie: b"}))
        return response if at_once else answered(response)

    async def answered(response: Response) -> Response:
        return response

    behind.handle = broken  # type: ignore[method-assign]  # what it stands for is broken here
    await client.ask("/x")
    assert await client.rest() == b""


async def test_an_answer_that_nobody_gives_any_more_ends_the_connection(
    client: Client, behind: Behind
) -> None:
    """Something that was awaited has been cancelled, but not by whoever waits for it."""

    async def cancelled(request: Request, facts: RequestFacts) -> Response:
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        future.cancel()
        return await future

    behind.answer = cancelled
    await client.ask("/x")
    assert await client.rest() == b""


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503])
async def test_an_allowed_origin_can_read_why_it_is_refused(
    client: Client, behind: Behind, status: int
) -> None:
    """Else its script sees a network error in place of a 401. What was prepared for everybody stays as it is."""
    prepared = Prepared(
        Page(status, b"{}", (("Content-Type", "application/problem+json"), ("Vary", "Cookie")))
    )

    async def refuses(request: Request, facts: RequestFacts) -> Response:
        return prepared.response(["a=b"] if facts.path == "/cookie" else ())

    behind.answer = refuses
    for path in ("/x", "/cookie"):
        answer = await client.get(path, "Origin: https://partner.test")
        assert (answer.status, answer.body) == (status, b"{}")
        assert answer.values(b"access-control-allow-origin") == [b"https://partner.test"]
        assert answer.values(b"access-control-allow-credentials") == [b"true"]
        assert answer.values(b"vary") == [b"Cookie", b"Origin"]
        for origin in ("Origin: https://evil.test", "Origin: null", "X-Plain: 1"):
            assert b"access-control" not in (await client.get(path, origin)).raw.lower()


async def test_what_goes_well_says_nothing_of_origins(client: Client) -> None:
    """An answer of the application says by itself who may read it."""
    assert b"access-control" not in (await client.get("/x", "Origin: https://partner.test")).raw.lower()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("X-Forwarded-For: unknown", "unknown"),
        ("X-Forwarded-For: _a", "hidden"),
        ("X-Forwarded-For: 1.2.3.4:x", "malformed"),
        ("X-Forwarded-For:", "empty"),
        ("Forwarded: for=1.2.3.4", "missing"),
    ],
)
async def test_r07_a_client_of_whom_nothing_can_be_read_is_unknown_and_said_once(
    behind: Behind, metrics: Metrics, line: str, why: str
) -> None:
    """It never becomes its proxy; the log has the reason and what to do, not the text, and nobody can fill it."""
    gate: Any = behind
    seen: list[str] = []

    async def answer(request: Request, facts: RequestFacts) -> Response:
        seen.append(facts.client)
        return Response()

    behind.answer = answer
    rules = DoorRules("https", frozenset({"app.test"}), (ip_network("127.0.0.0/8"),))
    made = Door(
        rules,
        DoorLimits(8_190, 0),
        table=EndpointTable({}, "/oauth2"),
        gate=gate,
        access_log=AccessLog(metrics, access=False),
    )
    made._seldom = Seldom(lambda: 0.0)
    listener = made.listener()
    server = await asyncio.get_running_loop().create_server(listener, "127.0.0.1", 0)
    with capture_logs() as logs:
        client = Client(*await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1]))
        for _ in range(3):
            assert (await client.get("/x", line)).status == 200
        await client.get("/x", "X-Forwarded-For: 203.0.113.7:4711")
        await client.get("/x")
        await client.close()
    server.close()
    await listener.shutdown(1)
    assert seen == ["unknown"] * 3 + ["203.0.113.7", "127.0.0.1"]
    told = [(log["why"], log["proxy"], log["times"]) for log in logs if log["event"] == "client_unknown"]
    assert told == [(why, "127.0.0.1", 1)]
    assert "1.2.3.4" not in str(logs)


PLAIN = "X-Forwarded-Proto: http"


@asynccontextmanager
async def before_tls(behind: Behind, metrics: Metrics, **rules: Any) -> AsyncIterator[Client]:
    """A client behind a proxy that is trusted, as long as ``rules`` say nothing else."""
    gate: Any = behind
    trusted = {"trusted_proxies": (ip_network("127.0.0.0/8"),), "scheme": "https", **rules}
    questions = ("/oauth2/auth", behind.fine)
    listener = Door(
        DoorRules(authorities=frozenset({"app.test"}), **trusted),
        DoorLimits(8_190, 10),
        table=EndpointTable({"/logout": {"POST": behind.fine}}, "/oauth2", questions),
        gate=gate,
        access_log=AccessLog(metrics, access=False),
    ).listener()
    server = await asyncio.get_running_loop().create_server(listener, "127.0.0.1", 0)
    client = Client(*await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1]))
    try:
        yield client
    finally:
        await client.close()
        server.close()
        await listener.shutdown(1)


@pytest.mark.parametrize(
    "said", [PLAIN, "x-forwarded-proto:  HTTP ", "X-Forwarded-Proto: http, https", f"{PLAIN}\r\n{PLAIN}"]
)
@pytest.mark.parametrize("target", ["/reports/3?x=1&q=%2F\\d", "/oauth2/start?rd=/", "/logout", "/%6Cogout"])
async def test_what_came_without_tls_is_sent_to_https_before_anything_is_begun(
    behind: Behind, metrics: Metrics, said: str, target: str
) -> None:
    """A browser keeps none of our cookies there. Its method and target stay as they are (308, RFC 9110 §15.4.9)."""
    async with before_tls(behind, metrics) as client:
        answer = await client.get(target, said)
    assert (answer.status, answer.value(b"location")) == (308, f"https://app.test{target}".encode())
    assert answer.value(b"set-cookie") is None
    assert behind.asked == 0


@pytest.mark.parametrize(
    ("said", "rules"),
    [
        ("X-Forwarded-Proto: https", {}),
        ("X-Forwarded-Proto: https, http", {}),
        ("X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http", {}),
        ("X-Forwarded-Proto:", {}),
        (PLAIN, {"trusted_proxies": ()}),
        (PLAIN, {"trusted_proxies": (ip_network("192.0.2.0/24"),)}),
        (PLAIN, {"scheme": "http"}),
    ],
)
async def test_who_is_not_believed_and_what_came_with_tls_goes_on(
    behind: Behind, metrics: Metrics, said: str, rules: dict[str, Any]
) -> None:
    """Of several values the first is the browser's own; only a trusted proxy is believed (rule R7)."""
    async with before_tls(behind, metrics, **rules) as client:
        assert (await client.get("/x", said)).status == 200


async def test_a_proxy_s_question_is_never_redirected(behind: Behind, metrics: Metrics) -> None:
    """It is no request of a browser: what the header says in it is not looked at (rule R7)."""
    async with before_tls(behind, metrics) as client:
        assert (await client.get("/oauth2/auth", PLAIN)).status == 200
