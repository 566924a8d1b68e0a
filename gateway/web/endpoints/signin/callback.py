"""``/oauth2/callback``: the provider's answer becomes a session, with a new id (rules R1, R2, R6, R19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import quote

from gateway.core import clock, dice
from gateway.core.errors import DownstreamError, ProviderError, StateError
from gateway.core.http.facts import RequestFacts
from gateway.core.session.attempt import Attempt, Returned, log_tag, read_state, unasked
from gateway.core.session.cookies import CookieTooLargeError
from gateway.core.session.lifecycle import refresh_time
from gateway.core.session.session import Principal, Session, SessionOrHusk
from gateway.core.session.sign_in import SignIn, signed_in
from gateway.core.signout.chain import Cause, Interrupted
from gateway.core.signout.freshness import Freshness, answers, freshness
from gateway.core.signout.revocation import Entry
from gateway.idp.provider import IdentityProvider
from gateway.oidc.signin.authorization import (
    AuthorizationCode,
    AuthorizationRefusal,
    AuthorizationResponse,
    read_response,
)
from gateway.oidc.signin.identity import ClaimOptions, aliases_from, principal_from
from gateway.oidc.signin.tokens import TokenSet
from gateway.oidc.signout.logout import hint_in
from gateway.state.contract.log import RevocationLog, in_step
from gateway.state.contract.sign_ins import SignIns
from gateway.telemetry.log import get_logger
from gateway.web.endpoints.signin.landing import onward
from gateway.web.messages import Request, Response
from gateway.web.pages import pages
from gateway.web.pages.catalogue import message
from gateway.web.pages.errors import refuse, refuse_error
from gateway.web.pages.offers import SIGN_OUT, other_account
from gateway.web.pages.pages import Offer
from gateway.web.pages.respond import redirect, send
from gateway.web.session.attempts import Attempts
from gateway.web.session.group_watch import GroupWatch
from gateway.web.session.session import Carried, Sessions
from gateway.web.signout.hint import Hints
from gateway.web.signout.logout import Logout
from gateway.web.signout.session_events import SessionEvents
from gateway.web.standing import Standing

_log = get_logger("callback")
PASSING_REFUSALS = frozenset({"temporarily_unavailable", "server_error"})
"""What a provider may say that is over by itself (RFC 6749 §4.1.2.1)."""


class _Found(NamedTuple):
    """What a code was worth.

    :ivar aliases: every name of the person. :ivar hint: what the hops want to be kept.
    :ivar authenticated_at: seconds, when the person proved who they are; None where nobody can say.
    """

    tokens: TokenSet
    principal: Principal
    aliases: tuple[str, ...]
    hint: str | None
    authenticated_at: int | None


@dataclass(frozen=True, slots=True)
class Callback:
    """Finishes logins."""

    public_url: str
    prefix: str
    claims: ClaimOptions
    groups: GroupWatch
    hints: Hints
    keep_access: bool
    standing: Standing
    logout: Logout
    attempts: Attempts
    sessions: Sessions
    provider: IdentityProvider
    log: RevocationLog
    sign_ins: SignIns
    events: SessionEvents

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """Session and landing, or a page that says what went wrong."""
        try:
            return await self._answer(request, facts)
        except DownstreamError as error:
            self.events.login_failed(error.code, error.detail, facts.client)
            raise

    async def _answer(self, request: Request, facts: RequestFacts) -> Response:
        if facts.in_no_tab:
            return refuse(facts, "iframe_or_prefetch")
        now = clock.now()
        response = read_response(facts.query or "")
        carried, state, _ = await self.standing.read(facts, now)
        known = read_state(response.state or "")
        if known is None:
            return self._unasked(facts, carried, response, now, live=isinstance(state, Session))
        attempt = self.attempts.find(carried.cookies, known.attempt_id, now)
        rd = self.attempts.way_back(known, now)
        if attempt is None or attempt.finished:
            return self._without_attempt(facts, response, known, rd or "/", live=isinstance(state, Session))
        attempt = replace(attempt, rd=attempt.rd or rd or "")
        response = replace(response, state=None if rd is None else known.proof)
        chain = carried.chain
        if chain is not None and (not chain.closed or attempt.after_time < chain.closed):
            # R2: an attempt from before a logout signs nobody in, however late it comes back.
            return redirect(self._again(attempt.attempt_id, attempt.rd), cookies=self._drop(attempt))
        if isinstance(state, Session):
            # Another tab was faster (P11). A second session beside its would be one that no logout knows of.
            return self._onward(carried, attempt, now)
        try:
            agent = request.header(b"user-agent")
            return await self._finish(facts, carried, attempt, response, agent, now)
        except (ProviderError, StateError) as error:
            self.events.login_failed(error.code, error.detail, facts.client)
            offers = (self._try_again(attempt.attempt_id, attempt.rd),)
            return refuse_error(facts, error, cookies=self._drop(attempt), offers=offers)

    async def _finish(
        self,
        facts: RequestFacts,
        carried: Carried,
        attempt: Attempt,
        response: AuthorizationResponse,
        agent: str,
        now: int,
    ) -> Response:
        answer = response.verified(
            state=attempt.state, issuer=self.provider.issuer, iss_required=self.provider.iss_required
        )
        if isinstance(answer, AuthorizationRefusal):
            again = self._try_again(attempt.attempt_id, attempt.rd)
            return self._refused(facts, answer, attempt.rd, again, self._drop(attempt))
        found = await self._identify(answer, attempt)
        tokens, principal, aliases, hint, authenticated_at = found
        await in_step(self.log)
        entry = self._unanswered(carried, attempt, found, now)
        if entry is not None:
            # R1: the provider may only have remembered somebody whose sessions were ended; the chain runs first, and
            # then the sign-in goes on, once: whoever is stopped again has a page to read.
            went = None
            if attempt.max_age is None:
                went = Interrupted(attempt.attempt_id, attempt.rd, attempt.led)
            cause = Cause(entry.reason, (None, principal.subject, principal.user), went)
            how, unused = f"revoked:{entry.reason}", tokens.refresh_token
            return await self.logout.begin(carried, how=how, now=now, cause=cause, unused=unused)
        if freshness(attempt, authenticated_at) is Freshness.STALE:
            self.logout.discard(tokens.refresh_token)
            self.events.login_failed("not_asked_again", principal.subject, facts.client)
            return refuse(facts, "not_asked_again", cookies=self._drop(attempt))
        began = now if carried.chain is None else max(now, carried.chain.started + 1)
        session = self._session(principal, aliases, tokens, began)
        sign_in = signed_in(session, agent=agent, client=facts.client)
        return await self._land(carried, attempt, session, sign_in, hint, now)

    async def _identify(self, code: AuthorizationCode, attempt: Attempt) -> _Found:
        tokens = await self.provider.redeem(
            code, code_verifier=attempt.code_verifier, redirect_uri=f"{self.public_url}{self.prefix}/callback"
        )
        came = clock.now()  # keys that have to be fetched first would make a proof look later than it was
        try:
            return await self._verified(tokens, attempt, came)
        except ProviderError:
            self.logout.discard(tokens.refresh_token)
            raise

    async def _verified(self, tokens: TokenSet, attempt: Attempt, came: int) -> _Found:
        verified = await self.provider.verify_id_token(
            tokens.id_token or "", nonce=attempt.nonce, now=clock.now(), access_token=tokens.access_token
        )
        hint = hint_in(verified.claims, tokens.id_token or "", self.hints.wanted)
        at = verified.authenticated_at(came) if self.provider.auth_time_proves else None
        who, aliases = principal_from(verified, self.claims), aliases_from(verified, self.claims)
        self.groups.look(verified.claims, who.groups)
        return _Found(tokens, who, aliases, hint, at)

    def _unanswered(self, carried: Carried, attempt: Attempt, found: _Found, now: int) -> Entry | None:
        """The entry against this person that neither a chain in this browser, nor a session that it had since, nor a
        proof of who they are has answered (rule R1).
        """
        here = attempt.log == log_tag(self.log.log_id)
        before = (
            carried.session if here and _is_of(carried.session, found.principal, self.log.log_id) else None
        )

        def answered(entry: Entry) -> bool:
            if before is not None and not entry.ends(before):
                return True
            return here and answers(entry, attempt, found.authenticated_at)

        return self.log.index.subject_entry_after(
            found.aliases,
            position=attempt.after if here else 0,
            now=now,
            since=attempt.after_time or None,
            answered=answered,
        )

    def _session(self, principal: Principal, aliases: tuple[str, ...], tokens: TokenSet, now: int) -> Session:
        sid, lives, keep = dice.token(16), tokens.expires_in, self.keep_access
        limits = self.standing.rules.session
        return Session(
            sid=sid,
            log_id=self.log.log_id,
            principal=principal,
            aliases=aliases,
            login_at=now,
            seen=self.log.index.position,
            idle_until=now + min(limits.idle, limits.absolute),
            absolute_until=now + limits.absolute,
            refresh_token=tokens.refresh_token,
            refresh_at=refresh_time(sid, 0, now=now, lives=lives) if tokens.refresh_token else None,
            access_token=tokens.access_token if keep else None,
            access_until=now + (lives or 0) if keep else 0,
        )

    async def _land(
        self,
        carried: Carried,
        attempt: Attempt,
        session: Session,
        sign_in: SignIn,
        hint: str | None,
        now: int,
    ) -> Response:
        try:
            cookies = await self.sessions.begin(session, carried.cookies, now)
        except CookieTooLargeError as error:
            self.events.login_failed("session_too_large", str(error), sign_in.client)
            self.logout.discard(session.refresh_token)
            page = pages.oversized_session(
                bytes_needed=error.needed,
                budget=error.budget,
                largest_claim=_largest(session),
                offers=(other_account(attempt.rd or "/"), SIGN_OUT),
            )
            return send(page, self._drop(attempt))
        except StateError:
            self.logout.discard(session.refresh_token)
            raise
        if not await self.sign_ins.record(sign_in):
            _log.warning("sign_in_not_listed", fix="the state does not answer; see /readyz")
        self.events.login(session, sign_in.client)
        cookies += self.hints.keep(hint, session.sid, cookies, carried.cookies, now)
        return self._onward(carried, attempt, now, cookies)

    def _onward(self, carried: Carried, attempt: Attempt, now: int, cookies: Sequence[str] = ()) -> Response:
        """To the landing, with the attempt finished."""
        spent = self.attempts.finish(attempt, carried.cookies, now)
        return redirect(f"{self.prefix}/landing?attempt={attempt.attempt_id}", cookies=[*cookies, *spent])

    def _without_attempt(
        self, facts: RequestFacts, response: AuthorizationResponse, known: Returned, rd: str, *, live: bool
    ) -> Response:
        """No attempt of this browser, or none any more: the code is not used, and the tab goes to its own address, or
        to a sign-in that leads there, by itself once (P11, R35). Who knows who began this: it goes on as led here.
        """
        if live and facts.mode is None:
            return redirect(rd)
        if live:
            return send(pages.landing(target=onward(self.prefix, rd), attempt=known.attempt_id))
        again = self._again(known.attempt_id, rd)
        if response.refusal is not None:
            return self._refused(facts, response.refusal, rd, self._try_again(known.attempt_id, rd))
        return self._unknown(facts, again) if known.restarted else redirect(f"{again}&again=1")

    def _unasked(
        self, facts: RequestFacts, carried: Carried, response: AuthorizationResponse, now: int, *, live: bool
    ) -> Response:
        """No state of ours, as from a provider's dashboard: a sign-in of our own, by itself, once a minute."""
        if live:
            return redirect("/")
        if response.refusal is not None:
            return self._refused(facts, response.refusal, "/", self._try_again("", "/"))
        if unasked(self.attempts.all(carried.cookies, now), now):
            return self._unknown(facts, f"{self.prefix}/start")
        mark, cookies = self.attempts.unasked(carried.cookies, now)
        return redirect(f"{self.prefix}/start?rd=/&again={mark}", cookies=cookies)

    def _unknown(self, facts: RequestFacts, start: str) -> Response:
        self.events.login_failed("state_unknown", "", facts.client)
        return refuse(facts, "state_unknown", offers=(Offer(message("page.sign_in"), start),))

    def _refused(
        self,
        facts: RequestFacts,
        refusal: AuthorizationRefusal,
        rd: str,
        again: Offer,
        cookies: Sequence[str] = (),
    ) -> Response:
        error, description = refusal.error, refusal.description
        self.events.login_failed("refused", f"{error}: {description}" if description else error, facts.client)
        fix, offers = "", [SIGN_OUT]
        what = message("reason.sign_in_refused.said", error=error)
        if description:
            what = message("reason.sign_in_refused.explained", error=error, description=description)
        if error == "access_denied":
            fix = message("reason.sign_in_refused.denied_fix")
            offers = [other_account(rd or "/"), SIGN_OUT]
        elif error in PASSING_REFUSALS:
            fix = message("reason.sign_in_refused.passing_fix")
            offers = [again]
        return refuse(facts, "sign_in_refused", what=what, fix=fix, cookies=cookies, offers=offers)

    def _try_again(self, attempt_id: str, rd: str) -> Offer:
        return Offer(message("page.try_again"), self._again(attempt_id, rd))

    def _again(self, attempt_id: str, rd: str) -> str:
        """Where sign-in begins anew, with the same way back, and what the tab keeps for it."""
        start = f"{self.prefix}/start?rd={quote(rd or '/', safe='/')}"
        return f"{start}&earlier={attempt_id}" if attempt_id else start

    def _drop(self, attempt: Attempt) -> list[str]:
        return self.attempts.clear(attempt.attempt_id)


def _is_of(session: SessionOrHusk | None, who: Principal, log_id: str) -> bool:
    """Whether this is a session of ``who``, alive or not, under this log."""
    return session is not None and (session.log_id, *session.who[:2]) == (log_id, who.issuer, who.subject)


def _largest(session: Session) -> str:
    """The name of what takes most room, for the page that says why a session does not fit."""
    who = session.principal
    sizes = {name: len(repr(value)) for name, value in who.claims.items()}
    sizes |= {"groups": len(repr(who.groups)), "refresh token": len(session.refresh_token or "")}
    sizes["access token"] = len(session.access_token or "")
    return max(sizes, key=lambda name: sizes[name])
