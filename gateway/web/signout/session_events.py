"""What happened to sessions, told once to the audit trail and to the metrics."""

from __future__ import annotations

from collections.abc import Collection

from gateway.core.gate import Allow, Challenge, Deny, Verdict
from gateway.core.http.facts import RequestFacts
from gateway.core.session.session import Session, SessionOrHusk
from gateway.core.signout.chain import FAILED, RETURNED, SKIPPED, Chain, HopState
from gateway.core.signout.token_hold import Parked
from gateway.idp.provider import Revocation
from gateway.state.contract.renewal import RenewalCause, tell_of_renewal
from gateway.telemetry.audit import AuditEvent, AuditKind, AuditTrail
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.receipts import ReceiptBook, ended, logout_id

_HOPS = {
    RETURNED: AuditKind.HOP_RETURNED,
    SKIPPED: AuditKind.HOP_SKIPPED,
    FAILED: AuditKind.HOP_FAILED,
}
_PROVIDER_RESULTS = {result.value for result in Revocation}


class SessionEvents:
    """The events of signing in and out, and the decisions of the gate.

    :param receipts: signs what is told of sign-outs; None where nothing is signed.
    """

    def __init__(self, audit: AuditTrail, metrics: Metrics, receipts: ReceiptBook | None = None) -> None:
        self._audit = audit
        self.receipts = receipts
        self._metrics = metrics
        self._verdicts = metrics.verdicts_total
        self._policies = metrics.policy_decisions_total

    def decided(self, verdict: Verdict) -> None:
        """A verdict of the gate; counted only, for there is one on every request."""
        if isinstance(verdict, Allow):
            self._verdicts["allow", "anonymous" if verdict.session is None else "session"].inc()
            for policy in verdict.policies:
                self._policies[policy, "allow"].inc()
        elif isinstance(verdict, Challenge):
            self._verdicts["challenge", verdict.reason].inc()
        elif isinstance(verdict, Deny):  # what has to be asked first is decided later
            self._verdicts["deny", verdict.reason].inc()
            if verdict.reason == "denied":
                for policy in verdict.policies or ("none",):
                    self._policies[policy, "deny"].inc()

    def login(self, session: Session, client: str) -> None:
        """A session began."""
        self._metrics.logins_total["ok"].inc()
        who = session.principal
        self._audit.record(
            AuditEvent(AuditKind.LOGIN, sid=session.sid, user=who.user, subject=who.subject, client=client)
        )

    def login_failed(self, code: str, detail: str, client: str) -> None:
        """The provider's answer did not become a session. ``code`` is stable, ``detail`` holds no secret."""
        self._metrics.logins_total[code].inc()
        self._audit.record(
            AuditEvent(AuditKind.LOGIN_FAILED, reason=code, detail=detail or None, client=client)
        )

    def logout_started(self, chain: Chain, how: str) -> None:
        """``chain`` began."""
        self._metrics.logouts_total[how.partition(":")[0]].inc()
        receipt = self.receipts.started(chain, how) if self.receipts else None
        self._audit.record(_of_logout(chain, AuditKind.LOGOUT_STARTED, receipt, reason=how))

    def revocation(self, reason: str, *, durable: bool) -> None:
        """An entry was written to the log. ``reason`` is one of a closed set."""
        self._metrics.revocations_total[reason, "yes" if durable else "no"].inc()

    def ended(self, session: Session, reason: str, *, durable: bool) -> None:
        """A session ended that nobody had signed out of."""
        self.revocation(reason, durable=durable)
        who = session.principal
        event = AuditEvent(
            AuditKind.REVOKED,
            sid=session.sid,
            user=who.user,
            subject=who.subject,
            reason=reason,
            durable=durable,
        )
        self._audit.record(event)

    def revoked(self, key: str, reason: str, *, durable: bool, client: str | None = None) -> None:
        """Somebody ended what ``key`` names: an operator, or a user beside the own session."""
        self.revocation(reason, durable=durable)
        self._audit.record(
            AuditEvent(AuditKind.REVOKED, revocation=key, reason=reason, durable=durable, client=client)
        )

    def token_asked(self, result: Revocation) -> None:
        """The provider was asked to revoke a refresh token; counted only, for it may be asked again."""
        self._metrics.token_revocations_total[result.value].inc()

    def token_revoked(self, one: Parked) -> None:
        """The provider has confirmed it."""
        self._audit.record(_of_token(AuditKind.TOKEN_REVOKED, one))

    def token_not_revoked(self, one: Parked, reason: str) -> None:
        """Nobody will try again. ``reason`` is of a closed set: what the provider said, or why it was given up."""
        if reason not in _PROVIDER_RESULTS:
            self._metrics.token_revocations_total[reason].inc()
        self._audit.record(_of_token(AuditKind.TOKEN_NOT_REVOKED, one, reason))

    def hop(self, hop: HopState) -> None:
        """A hop was settled."""
        self._metrics.hops_total[hop.name, hop.status].inc()
        self._audit.record(AuditEvent(_HOPS[hop.status], hop=hop.name, evidence=hop.evidence))

    def logout_finished(self, chain: Chain) -> None:
        """The last hop was settled."""
        receipt = self.receipts.finished(chain) if self.receipts else None
        self._audit.record(_of_logout(chain, AuditKind.LOGOUT_FINISHED, receipt, hops=ended(chain.hops)))

    def copy_of(self, chain: Chain) -> str | None:
        """The user's copy of the signed receipt of a closed chain; None where none are signed."""
        return self.receipts.copy(chain) if self.receipts else None

    def ended_by_others(self, key: str, reason: str, *, durable: bool, source: str, client: str) -> None:
        """Somebody who may do so ended what ``key`` names. :param source: who, by name; ``client`` their address."""
        self.revocation(reason, durable=durable)
        self._audit.record(
            AuditEvent(
                AuditKind.REVOKED,
                revocation=key,
                reason=reason,
                source=source,
                durable=durable,
                client=client or None,
            )
        )

    def log_renewed(self, cause: RenewalCause) -> None:
        """The revocation log has got another id, and everybody has to sign in again."""
        tell_of_renewal(cause)
        self._audit.record(AuditEvent(AuditKind.LOG_RENEWED, reason=cause.value))
        self._metrics.state_log_renewals_total[cause.value].inc()

    def inbound(self, way: str, result: str) -> None:
        """A call of somebody who wants sessions ended was answered. Both are of closed sets."""
        self._metrics.inbound_total[way, result].inc()

    def denied(
        self, facts: RequestFacts, session: SessionOrHusk | None, reason: str, policies: Collection[str]
    ) -> None:
        """A signed-in user was refused."""
        self._audit.record(
            AuditEvent(
                AuditKind.DENIED,
                sid=session.sid if session else None,
                user=session.who[2] if session else None,
                client=facts.client,
                reason=reason,
                policies=tuple(policies),
                method=facts.method,
                path=facts.path,
            )
        )


def _of_token(kind: AuditKind, one: Parked, reason: str | None = None) -> AuditEvent:
    subject, user = one.who
    sid = one.sid if subject else None  # a token that no session ever had is kept under a name of its own
    return AuditEvent(kind, sid=sid, subject=subject or None, user=user or None, reason=reason)


def _of_logout(
    chain: Chain,
    kind: AuditKind,
    receipt: str | None,
    *,
    reason: str | None = None,
    hops: tuple[str, ...] = (),
) -> AuditEvent:
    mark, subject, user = chain.who or (None, None, None)
    return AuditEvent(
        kind,
        mark=mark,
        user=user,
        subject=subject,
        reason=reason,
        hops=hops,
        durable=chain.durable,
        logout=logout_id(chain),
        receipt=receipt,
    )
