"""The audit trail: who signed in, who was signed out of what and on whose word, who was refused.

Every event is one log line with `"audit": true` and goes to the listener, if there is one: `gateway demo`
tells them in sentences. Sessions are named by a hash, people by what the identity provider calls them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from gateway.telemetry.log import get_logger, session_mark
from gateway.telemetry.redaction import Published

_log = get_logger("audit")


class AuditKind(Enum):
    """What happened."""

    LOGIN = "login"
    LOGIN_FAILED = "login_failed"
    LOGOUT_STARTED = "logout_started"
    HOP_RETURNED = "hop_returned"
    HOP_FAILED = "hop_failed"
    HOP_SKIPPED = "hop_skipped"
    LOGOUT_FINISHED = "logout_finished"
    REVOKED = "revoked"
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - the name of an event, not a secret
    TOKEN_NOT_REVOKED = "token_not_revoked"  # noqa: S105
    DENIED = "denied"
    LOG_RENEWED = "log_renewed"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One thing that happened; what does not apply stays empty.

    `user`: the user name of the principal; `subject`: the `sub` claim; `client`: the client's address;
    `request`: the request id. `reason`: a stable word for why a login failed or was refused, what ended a
    session, why the revocation log got another id; `detail`: what was seen then, for a person to read and nothing to
    depend on. `hop`: the hop of the logout chain; `evidence`: on what its end rests, one of `Evidence` (rule R28);
    `hops`: how each ended. `revocation`: the key of the entry written, `source`: who wanted it, by name, `durable`:
    whether the log has it.
    `policies`: the @ids that decided; `method`, `path`: the request that was denied. `mark`: the session as logs name
    it, where its sid is not known any more. `logout`: the id of the sign-out; `receipt`: what the gateway has signed
    about it.
    """

    kind: AuditKind
    sid: str | None = None
    mark: str | None = None
    user: str | None = None
    subject: str | None = None
    client: str | None = None
    request: str | None = None
    reason: str | None = None
    detail: str | None = None
    hop: str | None = None
    evidence: str | None = None
    hops: tuple[str, ...] = ()
    source: str | None = None
    revocation: str | None = None
    durable: bool | None = None
    policies: tuple[str, ...] = ()
    method: str | None = None
    path: str | None = None
    logout: str | None = None
    receipt: str | None = None

    @property
    def session(self) -> str | None:
        """The session as logs name it."""
        return self.mark if self.sid is None else session_mark(self.sid)


Listener = Callable[[AuditEvent], None]
_FIELDS = tuple(field.name for field in fields(AuditEvent) if field.name not in ("kind", "sid", "mark"))


class AuditTrail:
    """Where events are recorded."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener

    def record(self, event: AuditEvent) -> None:
        """Write the event down and tell the listener, whose errors are logged and go no further."""
        _log.info(event.kind.value, **_line(event))
        if self._listener is None:
            return
        try:
            self._listener(event)
        except Exception:  # noqa: BLE001 - who listens must not be able to stop a logout
            _log.exception("audit_listener_failed")


def _line(event: AuditEvent) -> dict[str, Any]:
    line: dict[str, Any] = {"audit": True, "session": event.session}
    line |= {name: getattr(event, name) for name in _FIELDS}
    if event.revocation is not None:
        line["revocation"] = _named(event.revocation)
    if event.receipt is not None:
        line["receipt"] = Published(event.receipt)
    return {name: value for name, value in line.items() if value not in (None, ())}


def _named(key: str) -> str:
    """A revocation's key as logs have it: sessions, ours and the provider's, by their hash."""
    kind, _, rest = key.partition(":")
    if kind == "sid":
        return f"sid:{session_mark(rest)}"
    if kind == "isid":
        issuer, _, name = rest.partition("|")
        return f"isid:{issuer}|{session_mark(name)}"
    return key
