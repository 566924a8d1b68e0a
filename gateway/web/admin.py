"""The operator's API, on a listener of its own: which sessions there are, what has been ended, and ending more.

Always with a bearer token, for reading too, because what it shows are people (rule R12). A web page that a browser on
the same machine has open must not be able to use it, token or not: the Host must be the listener's own, so that a
name an attacker points at this machine is refused (DNS rebinding), only JSON is taken, and no CORS header is given.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from multidict import CIMultiDict

from gateway.core import clock
from gateway.core.session.device import device_of
from gateway.core.session.revocation_keys import EVERYONE, email_key, sid_key, subject_key
from gateway.core.session.sign_in import SignIn
from gateway.core.signout.revocation import UNPLACED, Entry, NewEntry
from gateway.state.contract.log import RevocationLog, in_step
from gateway.state.contract.sign_ins import Listed, SignIns, living
from gateway.telemetry.log import get_logger, session_mark
from gateway.web.pages import pages
from gateway.web.pages.catalogue import message
from gateway.web.pages.shell import Page, own_headers
from gateway.web.reasons import BY_OPERATOR
from gateway.web.signout.revoker import Revoker
from gateway.web.signout.session_events import SessionEvents
from gateway.web.statuses import status_of

MAX_BODY = 16 * 1024
BODY_WITHIN = 10.0
"""Seconds for a whole request body."""
LISTED = 1_000
"""Entries or sessions in one answer; the total is told beside them."""
_MAX_NAME = 2_048
"""Characters of an id; RFC 5321 §4.5.3.1 and OpenID Connect Core §2 allow far less."""
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_log = get_logger("admin")


@dataclass(frozen=True, slots=True)
class AdminOptions:
    """What the operator decided.

    :ivar token: None closes the API. :ivar issuer: whose subjects a bare ``sub`` names.
    :ivar lifetime: seconds an entry must live to outlast every session. :ivar idle: seconds; ``session.idle``.
    """

    token: str | None = field(repr=False)
    issuer: str
    lifetime: int
    idle: int


class RefusedError(Exception):
    """The request is not served; `admin.<code>` in the catalogue says why.

    :ivar headers: that go with the answer.
    """

    def __init__(
        self, code: str, why: str = "what", headers: tuple[tuple[str, str], ...] = (), **values: object
    ) -> None:
        super().__init__(code)
        self.code = code
        self.title = message(f"admin.{code}.title")
        self.detail = message(f"admin.{code}.{why}", **values)
        self.headers = headers


class AdminApi:
    """Answers ``/api/sessions`` and ``/api/revocations``.

    :param sign_ins: what was recorded of sign-ins.
    """

    def __init__(
        self,
        options: AdminOptions,
        *,
        log: RevocationLog,
        revoker: Revoker,
        events: SessionEvents,
        sign_ins: SignIns,
    ) -> None:
        self._options = options
        self._log = log
        self._events = events
        self._revoker = revoker
        self._sign_ins = sign_ins
        self._table: Mapping[str, Mapping[str, Callable[[web.BaseRequest], Awaitable[object]]]] = {
            "/api/sessions": {"GET": self._sessions},
            "/api/revocations": {"GET": self._revocations, "POST": self._revoke},
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request of an operator."""
        try:
            self._admit(request)
            answer = await self._endpoint(request)(request)
        except RefusedError as refused:
            return _answer(_problem(refused), refused.headers)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:  # noqa: BLE001 -- the last line of defence, as at the door
            _log.exception("admin_crashed")
            return _answer(_problem(RefusedError("internal")))
        body = json.dumps(answer).encode() + b"\n"
        return _answer(Page(200, body, own_headers("application/json", "default-src 'none'")))

    def _admit(self, request: web.BaseRequest) -> None:
        hosts = _own_hosts(request)
        if request.headers.getall("Host", []) not in [[host] for host in hosts]:
            raise RefusedError("unknown_host", host=hosts[0])
        token = self._options.token
        if token is None:
            raise RefusedError("no_token_configured")
        given = request.headers.getall("Authorization", [])
        scheme, _, value = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        same = hmac.compare_digest(value.strip().encode("utf-8", "surrogateescape"), token.encode())
        if scheme.lower() != "bearer" or not same:
            challenge = (("WWW-Authenticate", 'Bearer realm="gateway admin"'),)
            raise RefusedError("wrong_token", headers=challenge)

    def _endpoint(self, request: web.BaseRequest) -> Callable[[web.BaseRequest], Awaitable[object]]:
        methods = self._table.get(request.raw_path.partition("?")[0])
        if methods is None:
            raise RefusedError("not_found", paths=", ".join(self._table))
        endpoint = methods.get(request.method)
        if endpoint is None:
            allowed = ", ".join(methods)
            raise RefusedError("wrong_method", headers=(("Allow", allowed),), methods=allowed)
        return endpoint

    async def _sessions(self, _: web.BaseRequest) -> object:
        listed = await self._living()
        return {
            "complete": listed.complete,
            "note": message("admin.sessions") if listed.complete else message("admin.sessions_unread"),
            "total": listed.total,
            "sessions": [_session(one) for one in listed.sign_ins],
        }

    async def _living(self) -> Listed:
        await in_step(self._log)
        listed = await self._sign_ins.all(limit=LISTED)
        return await living(listed, self._log, self._sign_ins, idle=self._options.idle)

    async def _revocations(self, _: web.BaseRequest) -> object:
        index = await in_step(self._log)
        entries = index.live(clock.now())
        return {
            "position": index.position,
            "state": self._log.health(),
            "total": len(entries),
            "revocations": [_entry(entry) for entry in entries[:LISTED]],
        }

    async def _revoke(self, request: web.BaseRequest) -> object:
        key = revocation_key(await _json(request), self._options.issuer)
        lived = await self._living()
        entry = NewEntry(key=key, expires=clock.now() + self._options.lifetime, reason=BY_OPERATOR)

        def tell(entry: NewEntry, durable: bool) -> None:
            self._events.revoked(entry.key, entry.reason, durable=durable, client=request.remote or "")

        done = await self._revoker.end([entry], tell)
        ended = [one for one in lived.sign_ins if self._log.index.ended_by(one) is not None]
        return {
            "durable": done.durable,
            "position": done.position,
            "live_closed": done.closed,
            "ended": lived.total if key == EVERYONE else len(ended),
            "complete": lived.complete and (key == EVERYONE or lived.total <= len(lived.sign_ins)),
        }


def revocation_key(asked: object, issuer: str) -> str:
    """The key of what an operator wants ended.

    :param asked: the request's JSON. :param issuer: of a ``sub`` that comes without ``iss``.
    :raises RefusedError: it is not exactly one of sid, sub, email and all.
    """
    if not isinstance(asked, dict):
        raise RefusedError("not_understood", "no_object")
    names = set(asked)
    if names - {"iss"} not in [{"sid"}, {"sub"}, {"email"}, {"all"}] or (
        "iss" in names and "sub" not in names
    ):
        raise RefusedError("not_understood", "one_of")
    if "all" in asked:
        if asked["all"] is not True:
            raise RefusedError("not_understood", "all_true")
        return EVERYONE
    for name, value in asked.items():
        if not isinstance(value, str) or not value or len(value) > _MAX_NAME:
            raise RefusedError("not_understood", "no_text", name=name, most=_MAX_NAME)
    if "sid" in asked:
        return sid_key(asked["sid"])
    return (
        email_key(asked["email"]) if "email" in asked else subject_key(asked.get("iss", issuer), asked["sub"])
    )


def _answer(page: Page, headers: Iterable[tuple[str, str]] = ()) -> web.Response:
    # aiohttp names itself and its version unless a Server header is there.
    fields = CIMultiDict([*page.headers, *headers, ("Server", "gateway")])
    return web.Response(status=page.status, body=page.body, headers=fields)


async def _json(request: web.BaseRequest) -> object:
    if request.content_type != "application/json":
        raise RefusedError("not_json")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > MAX_BODY:
                    raise RefusedError("too_large", most=MAX_BODY)
    except TimeoutError:
        raise RefusedError("too_slow") from None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError("not_understood", "no_json") from None


def _own_hosts(request: web.BaseRequest) -> list[str]:
    """What the Host header may be: the address the connection came in on, or a name of this machine's loopback."""
    transport = request.transport
    address, port = (transport.get_extra_info("sockname") if transport else ("", 0))[:2]
    literal = f"[{address}]" if ":" in address else address
    return [f"{name}:{port}" for name in dict.fromkeys((literal, *_LOCAL))]


def _session(one: SignIn) -> dict[str, object]:
    return {
        "sid": one.sid,
        "session": session_mark(one.sid),
        "user": one.user,
        "sub": one.subject,
        "iss": one.issuer,
        "email": one.email,
        "login_at": one.login_at,
        "last_seen": one.seen_at,
        "until": one.until,
        "client": one.client,
        "device": device_of(one.agent),
    }


def _entry(entry: Entry) -> dict[str, object]:
    return {
        "key": entry.key,
        "reason": entry.reason,
        "position": None if entry.position >= UNPLACED else entry.position,
        "expires": entry.expires,
    }


def _problem(refused: RefusedError) -> Page:
    return pages.problem(
        status=status_of(refused.code), code=refused.code, title=refused.title, detail=refused.detail
    )
