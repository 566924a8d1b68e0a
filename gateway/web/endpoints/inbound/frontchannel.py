"""``/oauth2/frontchannel-logout``: an invisible frame on the provider's page says that a session has ended there.

Browsers keep our cookies from such a frame where the provider is another site, so ``iss`` and ``sid`` have to do.
Anybody can send those. Hence only a session that was recorded at a sign-in is ended (rule R20), whoever guesses is
slowed down, and every call is answered with the same bytes: nobody learns which sessions there are.

The session's cookie is left where it is. It is dead, and what it still says leads the browser's next navigation through
the rest of the logout chain (rule R1).
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from gateway.core import clock
from gateway.core.http.facts import RequestFacts
from gateway.core.session.revocation_keys import isid_key
from gateway.oidc.jose.signed_token import MAX_TEXT
from gateway.oidc.wire import has_control
from gateway.state.contract.sign_ins import SignIns
from gateway.web.door.rates import TriesPerSource
from gateway.web.messages import Request, Response
from gateway.web.pages.respond import Prepared
from gateway.web.pages.shell import Page, own_headers
from gateway.web.session.session import Sessions
from gateway.web.signout.inbound import Inbound, try_again

WAY = "frontchannel"
AGAIN_BURST, AGAIN_EACH_SECOND = 5, 0.1
"""How often one session may be ended: more than once, for it can come back under the same name; not without end."""
_MAX_FIELDS = 20
_BODY = b"<!doctype html><title>Signed out</title>\n"


class Frontchannel:
    """Ends the session that ``iss`` and ``sid`` name.

    :param issuer: the provider's; only pages of its origin may hold the frame.
    :param sign_ins: where sessions are recorded; one that the browser itself carries is known by its cookie.
    """

    def __init__(
        self,
        *,
        issuer: str,
        sessions: Sessions,
        sign_ins: SignIns,
        inbound: Inbound,
    ) -> None:
        self._issuer = issuer
        self._sessions = sessions
        self._sign_ins = sign_ins
        self._inbound = inbound
        self._misses = TriesPerSource()
        self._again = TriesPerSource(burst=AGAIN_BURST, each_second=AGAIN_EACH_SECOND)
        self._done = Prepared(_page(issuer))

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """The same page, whatever was asked; 503 while nobody can say which sessions there are, or while what was ended
        is not in the log (rule R5).
        """
        key = self._named(facts)
        now = clock.now()
        if key is None or self._misses.exhausted(facts.client) or self._again.exhausted(key):
            return self._ignored()
        is_known = await self._is_known(key, facts, now)
        if not is_known:
            self._misses.spend(facts.client)
            return self._ignored() if is_known is False else self._undecided()
        self._again.spend(key)
        ended = await self._inbound.end(
            [key],
            reason=WAY,
            event_time=None,
            token_id=None,
            source=self._issuer,
            client=facts.client,
            now=now,
        )
        self._inbound.count(WAY, ended.result)
        return self._done.response() if ended.durable else try_again()

    def _ignored(self) -> Response:
        self._inbound.count(WAY, "ignored")
        return self._done.response()

    def _undecided(self) -> Response:
        self._inbound.count(WAY, "no_record")
        return try_again()

    def _named(self, facts: RequestFacts) -> str | None:
        """The key of the session that is named, None when none can be."""
        try:
            pairs = parse_qsl(facts.query or "", keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except ValueError:
            return None
        named = dict(pairs)
        issuer, sid = named.get("iss"), named.get("sid", "")
        if len(named) != len(pairs) or issuer != self._issuer:
            return None
        return isid_key(issuer, sid) if 0 < len(sid) <= MAX_TEXT and not has_control(sid) else None

    async def _is_known(self, key: str, facts: RequestFacts, now: int) -> bool | None:
        await self._sessions.fetch(facts.cookies, now)
        carried = self._sessions.carried(facts.cookies, now).session
        if carried is not None and key in carried.aliases:
            return True
        return await self._sign_ins.known(key)


def _page(issuer: str) -> Page:
    """A page that says next to nothing, and that the provider's page may hold in a frame."""
    parts = urlsplit(issuer)
    policy = f"default-src 'none'; frame-ancestors {parts.scheme}://{parts.netloc}"
    replaced = {"X-Frame-Options": None, "Cross-Origin-Resource-Policy": "cross-origin"}
    headers = [
        (name, replaced.get(name, value)) for name, value in own_headers("text/html; charset=utf-8", policy)
    ]
    return Page(200, _BODY, tuple((name, value) for name, value in headers if value is not None))
