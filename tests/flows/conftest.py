"""The whole product on free ports: emulated Cognito and Okta, the demo's API, the gateway in front of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.app import reload, server, wiring
from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.core import clock
from gateway.demo import api, configuration, idp
from gateway.demo import clock as demo_clock
from gateway.demo.options import DemoOptions
from gateway.telemetry.audit import AuditEvent
from tests.fakes.ample import ample_for_a_gateway, ample_for_the_others, ample_unless_it_stalls  # noqa: F401 - what is shared may take its time
from tests.fakes.browser import Browser, Seen
from tests.fakes.configured import NOTHING, with_inbound
from tests.fakes.hand import stopped
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.fakes.ports import on_free_ports
from tests.fakes.redis import RedisServer
from tests.flows.stores import COOKIE, Store, in_redis, redis_with_tls


@dataclass
class Stand:
    """A running gateway with everything around it.

    :ivar port: where the gateway itself listens. :ivar questions: where Envoy asks over gRPC; 0: nowhere.
    """

    app: str
    gateway: Gateway
    idp: idp.RunningIdp
    api: api.RunningApi
    run: server.Run
    audit: list[AuditEvent] = field(default_factory=list)
    browsers: list[Browser] = field(default_factory=list)
    port: int = 0
    questions: int = 0

    @property
    def okta(self) -> str:
        return self.idp.options.okta

    @property
    def cognito(self) -> str:
        return self.idp.options.cognito

    def browser(self) -> Browser:
        browser = Browser.open()
        self.browsers.append(browser)
        return browser

    def set(self, **switches: str | int | bool) -> None:
        self.idp.control.cognito.set(**switches)

    async def sign_in(
        self, browser: Browser, path: str = "/reports/q3", *, user: str = "alice@example.com"
    ) -> Seen:
        """Navigate to ``path`` and sign in at Okta on the way."""
        return await browser.sign_in(self.app + path, user=user)

    async def sign_out(self, browser: Browser, until: str = "\0") -> Seen:
        """Press the SPA's sign-out button: a form to /logout."""
        answer = await browser.navigate(f"{self.app}/logout", method="POST", body="", site="same-origin")
        return await browser.follow(answer, site="same-origin", until=until)

    def told(self) -> list[str]:
        """The kinds of the audit events so far."""
        return [event.kind.value for event in self.audit]


def free_socket(port: int = 0) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(128)
    sock.setblocking(False)
    return sock


@asynccontextmanager
async def standing(
    directory: Path,
    *,
    federation: str = "oidc",
    extra: str = "",
    inbound: str = "",
    demo: DemoOptions = DemoOptions(),  # noqa: B008 - frozen
    front: int | None = None,
    store: Store = COOKIE,
    replaced: Mapping[str, str] = NOTHING,
) -> AsyncIterator[Stand]:
    """Start it all.

    :param inbound: the section of that name, instead of the generated one; ``{okta}`` and ``{app}`` stand for
        addresses.
    :param demo: names and certificates; the ports are replaced by free ones.
    :param front: the port of a proxy in front of the gateway, where browsers come to; None: there is none.
    :param store: where sessions are kept.
    :param replaced: pieces of the generated configuration, and what to put there instead.
    """
    async with AsyncExitStack() as opened:
        sock = opened.enter_context(free_socket())
        listening: int = sock.getsockname()[1]
        app = f"{demo.app.rpartition(':')[0]}:{front or listening}"
        options = on_free_ports(replace(demo, app=app, federation=federation))
        running = await idp.start(options, on_event=lambda line: None)
        opened.push_async_callback(running.close)
        served = await api.start(port=0, tick=0.1)
        opened.push_async_callback(served.close)
        path = configuration.write(
            directory,
            options,
            listen="127.0.0.1:0",
            api=f"127.0.0.1:{served.port}",
            probes="127.0.0.1:0",
            admin="127.0.0.1:0",
        )
        text = put(path.read_text(), {**store.replaced, **replaced})
        if inbound:
            named = {"{okta}": options.okta, "{app}": app}
            named = {name: url for name, url in named.items() if name in inbound}
            text = with_inbound(text, put(inbound, named), okta=options.okta)
        path.write_text(text + store.extra + extra)
        audit: list[AuditEvent] = []
        with ample_for_a_gateway():
            gateway = Gateway(load(path, {}), on_audit=audit.append)
        run = server.Run(gateway)
        ready = asyncio.Event()
        questions = opened.enter_context(free_socket()) if gateway.questions is not None else None
        questions_port: int = questions.getsockname()[1] if questions is not None else 0
        task = asyncio.create_task(
            server.serve_replica(run, sock, on_ready=ready.set, accept_for=0.0, questions=questions)
        )
        await asyncio.wait([asyncio.create_task(ready.wait()), task], return_when=asyncio.FIRST_COMPLETED)
        stand = Stand(app, gateway, running, served, run, audit, port=listening, questions=questions_port)
        try:
            yield stand
        finally:
            for browser in stand.browsers:
                await browser.close()
            await stopped(run, task)


@pytest.fixture(scope="session")
def tls_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """For all stands that keep their sessions there."""
    with redis_with_tls(tmp_path_factory.mktemp("redis")) as server:
        yield server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of a module with `STORES` run once with each."""
    if "store" in metafunc.fixturenames and hasattr(metafunc.module, "STORES"):
        stores = getattr(metafunc.function, "stores", metafunc.module.STORES)
        metafunc.parametrize("store", stores, indirect=True, scope="module")


@pytest.fixture(scope="module")
def store(request: pytest.FixtureRequest) -> Callable[[Path], Store]:
    """Where a stand keeps its sessions: in their cookies, where `STORES` says nothing else."""
    if getattr(request, "param", "cookie") == "cookie":
        return lambda _: COOKIE
    return partial(in_redis, request.getfixturevalue("tls_redis"))


@pytest.fixture
async def stand(
    tmp_path: Path, request: pytest.FixtureRequest, store: Callable[[Path], Store]
) -> AsyncIterator[Stand]:
    """The product with OIDC between the emulators, unless the test is parametrised otherwise."""
    async with standing(tmp_path, store=store(tmp_path), **getattr(request, "param", {})) as running:
        yield running


@pytest.fixture
async def browser(stand: Stand) -> Browser:
    """A browser that has never been here."""
    return stand.browser()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    tmp_path_factory: pytest.TempPathFactory, store: Callable[[Path], Store]
) -> AsyncIterator[Stand]:
    """One product for all tests of a module that leave it as they found it; they run in the module's loop."""
    directory = tmp_path_factory.mktemp("shared")
    async with standing(directory, store=store(directory)) as running:
        yield running


@contextmanager
def switched(stand: Stand, **switches: str | int | bool) -> Iterator[None]:
    """The emulators behave like this for a while."""
    before = stand.idp.control.cognito.snapshot()["switches"]
    assert isinstance(before, dict)
    stand.set(**switches)
    try:
        yield
    finally:
        stand.set(**{name: before[name] for name in switches})


@contextmanager
def held(thing: object, call: str) -> Iterator[asyncio.Event]:
    """Calls of this coroutine function begin when this is over; the event tells that somebody waits for one."""
    asked, over, original = asyncio.Event(), asyncio.Event(), getattr(thing, call)

    async def late(*args: object, **named: object) -> object:
        asked.set()
        await over.wait()
        return await original(*args, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(thing, call, late)
        try:
            yield asked
        finally:
            over.set()


@pytest.fixture
def the_clock_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's clock and the provider's: what has to happen within seconds does, however slow the machine is, and
    time goes on by :func:`later` alone. Of one clock that stands beside one that goes, a proof could seem older than it is.
    """
    now = clock.now()
    for each in (clock, demo_clock):
        monkeypatch.setattr(each, "now", lambda: now)


@pytest.fixture
def looked_at_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """No gateway that is started from now on looks for changed files, or for idle connections, by itself."""
    monkeypatch.setattr(reload, "EVERY", 60 * PATIENCE)
    monkeypatch.setattr(wiring, "LOOK_EVERY", 60 * PATIENCE)


@contextmanager
def later(seconds: int) -> Iterator[None]:
    """The gateway's clock, and no other, is ``seconds`` ahead: it is read in one place for this (rule R38)."""
    true = clock.now
    clock.now = lambda: true() + seconds
    try:
        yield
    finally:
        clock.now = true
