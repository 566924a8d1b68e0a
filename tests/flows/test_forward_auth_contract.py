"""Each proxy's side of forward-auth, tried against an authorizer that answers what the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fakes.browser import Browser
from tests.fakes.ports import free_port
from tests.fakes.upstream import Call, FakeUpstream, reply
from tests.flows.contracts import CONTRACTS, PAGE, Contract, table
from tests.flows.front import CALLERS, Places, placed
from tests.marked import part

pytestmark = pytest.mark.asyncio(loop_scope="module")

_PHRASES = {
    200: b"OK",
    202: b"Accepted",
    204: b"No Content",
    302: b"Found",
    401: b"Unauthorized",
    403: b"Forbidden",
}
LOCATION = "https://app.example.com/oauth2/start?rd=/x"


class Authorizer:
    """What the gateway would be: every question is answered with ``status``."""

    def __init__(self) -> None:
        self.status = 200
        self.questions: list[Call] = []
        self.server = FakeUpstream(self._answer)

    async def _answer(self, call: Call) -> None:
        await call.body()
        if b"/oauth2/auth" in call.request_line:
            self.questions.append(call)
        no = self.status >= 300
        headers = [
            b"Set-Cookie: __Host-session=renewed; Path=/; Secure",
            b"Content-Type: application/problem+json",
        ]
        if self.status == 302:
            headers.append(b"Location: " + LOCATION.encode())
        if self.status == 401:
            headers.append(b"WWW-Authenticate: Bearer")
        status = b"%d %b" % (self.status, _PHRASES[self.status])
        await call.send(reply(b'{"code":"said"}' if no else b"", *headers, status=status))


class Lab:
    """A proxy between a browser, the authorizer and an application."""

    def __init__(self, caller: str, app: str, authorizer: Authorizer, application: FakeUpstream) -> None:
        self.contract: Contract = CONTRACTS[caller]
        self.app = app
        self.authorizer = authorizer
        self.application = application


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=CALLERS)
async def lab(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    """One proxy for all tests of a caller."""
    port, authorizer = free_port(), Authorizer()
    await authorizer.server.start()
    application = await FakeUpstream(_application).start()
    app = f"http://app.localhost:{port}"
    places = Places(app, port, f"127.0.0.1:{authorizer.server.port}", f"127.0.0.1:{application.port}")
    proxy = placed(request.param, tmp_path_factory.mktemp(request.param), places)
    try:
        await proxy.start()
        yield Lab(request.param, app, authorizer, application)
    finally:
        await proxy.close()
        await application.close()
        await authorizer.server.close()


@pytest_asyncio.fixture(loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    opened = Browser.open()
    yield opened
    await opened.close()


async def _application(call: Call) -> None:
    await call.body()
    await call.send(reply(b"the application", b"Content-Type: text/html"))


async def test_the_question_says_what_the_table_says(lab: Lab, browser: Browser) -> None:
    """Its method, no body, the client's own headers, and method, host and target where the dialect reads them."""
    lab.authorizer.status = 200
    await browser.fetch(f"{lab.app}/a%20b?c=d", method="POST", body="x=1", Cookie="a=1")
    question = lab.authorizer.questions[-1]
    method, target, _ = question.request_line.decode().split()
    assert method == lab.contract.asks_with
    assert question.values(b"Content-Length") in ([], [b"0"])
    assert not question.values(b"Transfer-Encoding")
    assert question.values(b"Cookie") == [b"a=1"]
    assert question.values(b"Sec-Fetch-Mode") == [b"cors"]
    host = lab.app.removeprefix("http://")
    said = {
        "`X-Forwarded-Method`, `-Host`, `-Uri`": (
            "X-Forwarded-Method",
            "X-Forwarded-Host",
            "X-Forwarded-Uri",
        ),
        "`X-Original-Method`, `X-Original-URL`": ("X-Original-Method", "X-Original-URL"),
    }.get(lab.contract.says)
    if said is None:
        assert (target, question.values(b"Host")) == ("/oauth2/auth/a%20b?c=d", [host.encode()])
    else:
        values = [[value.decode() for value in question.values(name.encode())] for name in said]
        url = f"{lab.app}/a%20b?c=d"
        assert values == ([["POST"], [url]] if len(said) == 2 else [["POST"], [host], ["/a%20b?c=d"]])


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_yes_is_what_the_table_says(lab: Lab, browser: Browser, status: int) -> None:
    """The application is reached, or it is not; a Set-Cookie of the yes reaches the browser where the table says so."""
    lab.authorizer.status = status
    before = len(lab.application.calls)
    answer = await browser.fetch(f"{lab.app}/x")
    passed = len(lab.application.calls) == before + 1
    assert passed == (status in lab.contract.yes)
    if passed:
        assert (answer.status, answer.text) == (200, "the application")
        assert (
            any(line.startswith("__Host-session=renewed") for line in answer.set_cookies())
            == lab.contract.cookie_on_yes
        )


@pytest.mark.parametrize("status", [302, 401, 403])
async def test_a_refusal_arrives_as_the_table_says(lab: Lab, browser: Browser, status: int) -> None:
    """Whole, where it is handed on; nothing of it passes."""
    lab.authorizer.status = status
    before = len(lab.application.calls)
    answer = await browser.fetch(f"{lab.app}/x")
    assert len(lab.application.calls) == before
    expected = {302: lab.contract.redirect, 401: lab.contract.unauthorized, 403: 403}[status]
    assert answer.status == expected
    if lab.contract.redirect == 302:
        assert answer.text == '{"code":"said"}'
        assert (answer.location == LOCATION) == (status == 302)
        assert answer.header("Content-Type") == "application/problem+json"
    if status != 403:  # nginx asks for the answer to a 403 once more, and hands it on
        assert (
            any(line.startswith("__Host-session=renewed") for line in answer.set_cookies())
            == lab.contract.cookie_on_no
        )


async def test_nothing_passes_while_nobody_answers(tmp_path: Path, lab: Lab, browser: Browser) -> None:
    """And the browser sees the status of the table."""
    caller = next(name for name, contract in CONTRACTS.items() if contract is lab.contract)
    port = free_port()
    app = f"http://app.localhost:{port}"
    places = Places(app, port, f"127.0.0.1:{free_port()}", f"127.0.0.1:{lab.application.port}")
    proxy = placed(caller, tmp_path, places)
    before = len(lab.application.calls)
    try:
        await proxy.start()
        assert (await browser.fetch(f"{app}/x")).status == lab.contract.down
        assert len(lab.application.calls) == before
    finally:
        await proxy.close()


async def test_the_table_in_the_documentation_is_of_today() -> None:
    """Else `python -m tests.flows.contracts` writes it anew."""
    assert part(PAGE.read_text("utf-8"), "callers") == table()
    assert tuple(CONTRACTS) == CALLERS
