"""What the application behind the proxy in front is handed: the doctor stands in for it, where it does not run yet.

Nobody is signed in for that. The doctor has the keys, so it seals a session of nobody for a minute, which no log and no
browser knows, and sends it through the proxy together with what a client may not say of itself.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

from gateway.core import clock, dice
from gateway.core.http.own_cookies import NO_COOKIES, SESSION, strip_own_cookies
from gateway.core.session.cookies import session_cookie
from gateway.core.session.session import FORMAT, Principal, Session
from gateway.doctor.bypass import is_loopback
from gateway.doctor.check import check
from gateway.doctor.patient import Patient
from gateway.doctor.probe import NoAnswerError, Reply
from gateway.doctor.recipe_lines import kinds_of, named
from gateway.doctor.verdict import Observation, failed, ok, unknown, warning
from gateway.doctor.walk_steps import NAVIGATION, reason
from gateway.settings.addresses import UpstreamUrl
from gateway.settings.state_urls import SqliteUrl
from gateway.state import policy_files

WHO = "gateway-doctor"
LIFE = 60
"""Seconds of the session of nobody."""
_LIE = "gateway-doctor-lies"
_NAMES = (
    "X-Auth-Request-User",
    "X-Auth-Request-Groups",
    "X_Auth_Request_User",
    "Remote-User",
    "X-Forwarded-User",
)
_LIES = dict.fromkeys(_NAMES, _LIE)
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n"
    b"Cache-Control: public, max-age=600\r\nSet-Cookie: __Host-session=x; Path=/; Secure\r\n"
    b'Clear-Site-Data: "cookies"\r\n\r\n'
)
_STOP = "stop the application for a moment and run this again: the doctor stands in for it then"
_Head = Sequence[tuple[bytes, bytes]]


@check("forward-auth-pass", "What does the application behind the proxy in front hear and say?")
async def handed_on(patient: Patient) -> AsyncIterator[Observation]:
    settings, front = patient.settings, patient.front.rstrip("/")
    if not front or settings.forward_auth is None:
        return
    if front != str(settings.public_url):
        what = "what reaches the application is looked at only where browsers come by: there a session may be sent"
        yield unknown(front, what, f"give {settings.public_url} as the address")
        return
    upstream = settings.upstreams[0].url
    renewing = any(map(settings.forward_auth.renews, settings.forward_auth.asking))
    sessions = [_session(patient, life) for life in ((LIFE, 2 * LIFE) if renewing else (LIFE,))]
    if upstream.kind != "http" or not is_loopback(upstream.host) or not sessions[0]:
        what = "what reaches the application cannot be seen from here: it is elsewhere, or sessions are kept in Redis"
        yield unknown(front, what, "send X-Auth-Request-User: mallory to a page that shows what it was sent")
        return
    heads: list[_Head] = []
    url = f"{front}{settings.upstreams[0].path.rstrip('/')}/gateway-doctor?a=%2Fb"
    try:
        async with _in_its_place(upstream, heads):
            asked = [{**NAVIGATION, **_LIES, "cookie": f"{cookie}; own=1"} for cookie in sessions]
            replies = [await patient.probe.ask("GET", url, headers) for headers in asked]
    except OSError as error:
        what = f"the application runs, or the doctor may not listen there ({error.strerror}): nothing can be seen"
        yield unknown(str(upstream), what, _STOP)
        return
    except NoAnswerError as error:
        fix = "see that the proxy runs, and that this machine reaches it as browsers do"
        yield failed(front, str(error), fix)
        return
    if not heads:
        what = f"nothing reached the application: {replies[0].status} {reason(replies[0])}".strip()
        yield unknown(url, what, "see forward-auth-walk; or the policies do not let `gateway-doctor` pass")
        return
    kinds = kinds_of(settings.forward_auth)
    for seen in (*_received(heads[0]), *_let_through(replies[0]), *_renewed(replies[1:])):
        yield _judged(url, kinds, *seen)


def _judged(url: str, kinds: Sequence[str], what: str, good: bool, purposes: Sequence[str]) -> Observation:
    """Good, or the lines of the recipes that see to it; a warning where a caller has none."""
    if good:
        return ok(url, what)
    lines, what = named(purposes, kinds, ""), f"it does not hold that {what}"
    if lines:
        return failed(url, what, lines)
    return warning(url, what, "docs/forward-auth.md says what this caller cannot do")


def _received(head: _Head) -> Iterator[tuple[str, bool, tuple[str, ...]]]:
    """What the application was told."""
    who = [value for name, value in head if name == b"x-auth-request-user"]
    yield "the application hears who it is from the gateway alone", who == [WHO.encode()], ("identity",)
    lies = [name for name, value in head if _LIE.encode() in value and name != b"x-auth-request-user"]
    yield "what a client says of itself never arrives under any name", not lies, ("foreign", "identity")
    cookies = b"; ".join(value for name, value in head if name == b"cookie")
    kept = strip_own_cookies(cookies)
    yield (
        "the gateway's cookies do not reach the application, and its own do",
        kept == cookies == b"own=1",
        ("own cookies",),
    )


def _let_through(reply: Reply) -> Iterator[tuple[str, bool, tuple[str, ...]]]:
    """What of the application's answer came to the browser."""
    yield (
        "the application cannot set the gateway's cookies",
        not _ours(reply),
        ("set ours",),
    )
    yield (
        "the application cannot clear them",
        "cookies" not in reply.header("clear-site-data"),
        ("clear ours",),
    )
    yield "its documents are not stored", "no-store" in reply.header("cache-control"), ("documents",)


def _renewed(replies: Sequence[Reply]) -> Iterator[tuple[str, bool, tuple[str, ...]]]:
    """What came of a session that is nearly over, where a caller hands the cookies of a pass on."""
    for reply in replies:
        what = "a session that is used lives on: the cookies of a pass reach the browser"
        yield what, any(not value.startswith(f"{SESSION}=x;") for value in _ours(reply)), ("renewed",)


def _ours(reply: Reply) -> list[str]:
    """The session's cookies that a browser would take; without Secure it does not."""
    set_cookies = [value for name, value in reply.headers if name == "set-cookie"]
    return [value for value in set_cookies if value.startswith(SESSION) and "secure" in value.lower()]


@asynccontextmanager
async def _in_its_place(at: UpstreamUrl, heads: list[_Head]) -> AsyncIterator[None]:
    """A server that keeps the heads of requests. Raises OSError where somebody else is."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[1:-2]
            pairs = [line.partition(b":") for line in lines]
            heads.append([(name.lower(), value.strip()) for name, _, value in pairs])
            writer.write(_ANSWER)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, at.host, at.port):
        yield


def _session(patient: Patient, life: int) -> str:
    """The cookies of a session of nobody, for a minute; empty where there can be none.

    :param life: seconds for which it could be renewed.
    """
    settings, now, ring = patient.settings, clock.now(), patient.ring()
    if ring is None or settings.session.store != "cookie" or not isinstance(settings.state, SqliteUrl):
        return ""
    log_id = _log_id(settings.state.path)
    if not log_id:
        return ""
    issuer = settings.provider.issuer
    who = Principal(issuer=issuer, subject=WHO, user=WHO, groups=tuple(_groups(settings.policies)))
    session = Session(
        sid=dice.token(16), log_id=log_id, principal=who, aliases=(), login_at=now,
        idle_until=now + LIFE, absolute_until=now + life,
        seen=0,  # of a later position the gateway would learn that its log is an older copy, and let nobody in any more
    )  # fmt: skip
    made = session_cookie(life, settings.limits.cookies, suffix=settings.session.cookie_suffix or "")
    lines = made.set(FORMAT.plain(session), ring, patient.deployment, now=now, carried=NO_COOKIES)
    return "; ".join(line.partition(";")[0] for line in lines)


def _log_id(path: Path) -> str:
    """Of the log, which is only read; empty where it is none."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            found = db.execute("SELECT value FROM facts WHERE name = 'log_id'").fetchone()
    except (sqlite3.Error, ValueError):
        return ""
    return str(found[0]) if found else ""


def _groups(policies: str) -> list[str]:
    """All that are named: whoever is in each of them is let in by most policies."""
    files = policy_files.directory_of(policies, Path.cwd()).iterdir()
    texts = [file.read_text("utf-8") for file in files if file.name.endswith(".cedar")]
    named_ones = (re.findall(r'Group::"([^"\\]+)"', text) for text in texts)
    return sorted({name for names in named_ones for name in names})


CHECKS = (handed_on,)
