"""Examples of what a policy set must decide, and whether it does (``policies/README.md`` explains the format)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from gateway.core.errors import DownstreamError
from gateway.core.gate import GateRules, Revocations, decide
from gateway.core.http.facts import RequestFacts
from gateway.core.http.routes import Route, match_route, ordered
from gateway.core.http.target import decode_path, split_target
from gateway.core.policy.policy_set import PolicySet, PolicyVerdict
from gateway.core.session.session import Principal, Session, SessionLimits
from gateway.core.signout.chain import ChainLimits
from gateway.core.signout.revocation import RevocationIndex

NOW = 2_000_000_000
"""Cases have a clock of their own; only the time since sign-in matters."""
HOST = "app.example.com"
CLIENT = "192.0.2.1"
"""An address nobody has (RFC 5737)."""


_RULES = GateRules(SessionLimits(60, 60), ChainLimits(30, 120), frozenset())
_NOTHING_REVOKED = Revocations(RevocationIndex(), "", age=0)


class _Asked:
    """The policy set, and what it said: the gate's verdict alone does not name the policies behind every deny."""

    def __init__(self, policies: PolicySet) -> None:
        self._policies = policies
        self.verdict = PolicyVerdict(allowed=False, policies=())

    def decide(self, **asked: Any) -> PolicyVerdict:
        self.verdict = self._policies.decide(**asked)
        return self.verdict


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One request as policies see it.

    :ivar insensitive: its route has ``paths: insensitive``.
    """

    principal: Principal | None
    method: str
    route: str
    host: str
    path: str
    client: str
    insensitive: bool = False

    def put_to(self, policies: PolicySet) -> PolicyVerdict:
        """What ``policies`` say, asked by the gate itself as it asks for a request of a live session."""
        asked = _Asked(policies)
        facts = RequestFacts(
            method=self.method,
            host=self.host,
            scheme="https",
            raw_target=self.path,
            raw_path=self.path,
            query=None,
            path=self.path,
            client=self.client,
            site="same-origin",
        )
        session = _session(self.principal) if self.principal else None
        route = Route(self.route, "", encoded_slashes=True, insensitive=self.insensitive)
        decide(facts, session, route, asked, _NOTHING_REVOKED, _RULES, now=NOW)
        return asked.verdict

    def __str__(self) -> str:
        who = self.principal
        name = "anonymous" if who is None else f"{who.user} ({', '.join(who.groups) or 'no groups'})"
        return f"{self.method} {self.path} as {name}"


@dataclass(frozen=True, slots=True)
class Case:
    """One example.

    :ivar some: policies that must be among those that decide. :ivar exactly: all that may decide; None for any.
    """

    file: str
    line: int
    inquiry: Inquiry
    allowed: bool
    some: frozenset[str] = frozenset()
    exactly: frozenset[str] | None = None

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    def broken_by(self, verdict: PolicyVerdict) -> str:
        """How ``verdict`` differs from what is expected; empty when it does not."""
        determining = frozenset(verdict.policies)
        if verdict.error:
            return f"the policy failed: {verdict.error}"
        if verdict.allowed != self.allowed:
            wanted = "allow" if self.allowed else "deny"
            return f"expected {wanted}, is {summary(verdict)}"
        if not self.some <= determining or (self.exactly is not None and determining != self.exactly):
            wanted = ", ".join(sorted(self.exactly or self.some)) or "no policy"
            return f"expected by {wanted}, is {summary(verdict)}"
        return ""


def _session(principal: Principal) -> Session:
    return Session("case", "", principal, (), NOW, 0, NOW + 60, NOW + 60)


def summary(verdict: PolicyVerdict) -> str:
    """A verdict in a few words."""
    if verdict.code == "unknown_method":
        return "deny: unknown method (405)"
    word = "allow" if verdict.allowed else "deny"
    return f"{word} by {', '.join(verdict.policies)}" if verdict.policies else f"{word}: no policy permits it"


def person(
    user: str,
    groups: Sequence[str] = (),
    *,
    email: str | None = None,
    acr: str | None = None,
    auth_age: int = 0,
) -> Principal:
    """A principal to try policies with; ``auth_age`` in minutes."""
    return Principal(
        "https://issuer.example",
        user,
        user,
        email=email,
        groups=tuple(groups),
        acr=acr,
        auth_time=NOW - 60 * auth_age,
    )


def inquiry(
    principal: Principal | None,
    method: str,
    url: str,
    *,
    routes: Sequence[str] = ("/",),
    insensitive: Collection[str] = (),
    host: str = HOST,
    client: str = CLIENT,
) -> Inquiry:
    """The request ``method url`` as the gateway would put it to a policy set.

    :param url: an absolute path, or an http(s) address whose host then counts. :param routes: paths of upstreams.
    :param insensitive: those of them with ``paths: insensitive``.
    :raises ValueError: the gateway would refuse the address before any policy is asked; the message says why.
    """
    target = url
    if not url.startswith("/"):
        try:
            parts = urlsplit(url)
        except ValueError:  # brackets that hold no address
            parts = SplitResult("", "", "", "", "")
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError(
                f"{url!r} is neither a path nor an http address; write /path or https://host/path"
            )
        host = parts.netloc
        target = url.partition("//")[2].removeprefix(parts.netloc)
        target = target if target.startswith("/") else f"/{target}"
    try:
        path = decode_path(split_target(target)[0], encoded_slashes=True)
        known = [Route(prefix, "", insensitive=prefix in insensitive) for prefix in routes]
        route = match_route(ordered(known), path)
    except DownstreamError as error:
        raise ValueError(f"no policy would be asked: this request is refused as {error}") from error
    return Inquiry(principal, method, route.name, host, path, client, route.insensitive)


def failures(cases: Sequence[Case], policies: PolicySet) -> list[tuple[Case, str]]:
    """The cases that ``policies`` decides otherwise than expected, and how."""
    found = [(case, case.broken_by(case.inquiry.put_to(policies))) for case in cases]
    return [(case, broken) for case, broken in found if broken]


def undecided(cases: Sequence[Case], policies: PolicySet) -> list[str]:
    """Policies that determine no case: nothing shows that they do what they are for."""
    exercised = {name for case in cases for name in case.inquiry.put_to(policies).policies}
    return [policy.id for policy in policies.policies if policy.id not in exercised]
