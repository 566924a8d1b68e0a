"""The gate: the order of its questions, and that only a live session or a policy opens it (guarantee 1)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.gate import (
    SESSIONS_AWAY,
    Allow,
    Challenge,
    Deny,
    GateRules,
    Prove,
    Revocations,
    Verdict,
    decide,
    session_state,
)
from gateway.core.http.facts import DoorRules, RequestFacts, build
from gateway.core.http.routes import Route
from gateway.core.policy.policy_set import PolicyVerdict
from gateway.core.session.revocation_keys import sid_key
from gateway.core.session.session import Principal, Session, SessionLimits, SessionOrHusk
from gateway.core.session.ticket import husk, issued, ticket_of
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import Chain, ChainLimits
from gateway.core.signout.evidence import Evidence
from gateway.core.signout.revocation import ENTRY_MARGIN, NewEntry, RevocationIndex

NOW = 1_700_000_000
HERE = "https://app.example.com"
DOOR = DoorRules("https", frozenset({"app.example.com"}))
LIMITS = ChainLimits(30, 120)
RULES = GateRules(SessionLimits(1_800, 43_200), LIMITS, frozenset({HERE}), max_staleness=300)
ROUTE = Route("/", "http://127.0.0.1:1")
SUBJECT = "sub:https://idp|s-1"


@dataclass
class Ruled:
    """A policy that says what it was told to, and remembers what it was asked."""

    verdict: PolicyVerdict
    asked: list[dict[str, Any]] = field(default_factory=list)

    def decide(self, **question: Any) -> PolicyVerdict:
        self.asked.append(question)
        return self.verdict


def policy(*, allowed: bool = True, code: str = "", ids: Collection[str] = ("p",)) -> Ruled:
    return Ruled(PolicyVerdict(allowed, tuple(ids), code))


def users_only() -> Any:
    """What builtin:spa says: every user everything, Anonymous nothing."""

    class Spa:
        def decide(self, *, principal: Principal | None, **_: Any) -> PolicyVerdict:
            return PolicyVerdict(principal is not None, ("spa",), "" if principal else "denied")

    return Spa()


def session(**changes: Any) -> Session:
    made = Session(
        sid="sid-1",
        log_id="log",
        principal=Principal("https://idp", "s-1", "alice"),
        aliases=(SUBJECT,),
        login_at=NOW - 100,
        seen=5,
        idle_until=NOW + 1_000,
        absolute_until=NOW + 40_000,
        generation=3,
    )
    return replace(made, **changes)


def asked(method: str = "GET", target: str = "/a", **headers: str) -> RequestFacts:
    pairs = [(b"Host", b"app.example.com")]
    pairs += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return build(method, target, pairs, "192.0.2.1", DOOR)


def revocations(*entries: NewEntry, age: float = 0.0, log_id: str = "log") -> Revocations:
    index = RevocationIndex()
    index.rebase(5)
    for at, entry in enumerate(entries, start=10):
        index.apply(entry.placed(at))
    return Revocations(index, log_id, age)


def ended(*, barrier: int | None = None) -> NewEntry:
    return NewEntry(sid_key("sid-1"), NOW + 50_000, "logout", barrier=barrier)


def open_chain(started: int = NOW - 5) -> Chain:
    return chains.begin(["cognito"], LIMITS, now=started).chain


def closed_chain(started: int = NOW - 5) -> Chain:
    step = chains.returned(open_chain(started), "cognito", Evidence.CAME_BACK, LIMITS, now=started + 1)
    assert step is not None
    return step.chain


def verdict(
    facts: RequestFacts | None = None,
    who: SessionOrHusk | None = None,
    *,
    route: Route = ROUTE,
    ruled: Any = None,
    known: Revocations | None = None,
    rules: GateRules = RULES,
    chain: Chain | None = None,
) -> Verdict:
    return decide(
        facts or asked(),
        who,
        route,
        ruled or users_only(),
        known or revocations(),
        rules,
        now=NOW,
        chain=chain,
    )


def test_r04_what_has_seen_more_than_the_index_is_looked_into_first() -> None:
    """A session or a closed chain that was sealed behind the index's end, or where the log has a gap: whoever it is of,
    living or not, and whatever is asked. Once the log was asked, it is decided.
    """
    ahead, over = session(seen=6), replace(closed_chain(), log_id="log", position=7)
    gone = replace(ahead, absolute_until=NOW)
    assert (
        verdict(who=ahead)
        == verdict(who=gone)
        == verdict(asked("POST", Origin="https://evil"), ahead)
        == Prove(6)
    )
    assert verdict(chain=over) == verdict(who=session(), chain=over) == Prove(7)
    known = revocations()
    known.gaps = ((3, 5),)
    assert verdict(who=session(seen=4), known=known) == Prove(4)
    assert isinstance(verdict(who=session(seen=5), known=known), Allow)
    known.asked = True
    for who in (ahead, session(seen=4)):
        assert isinstance(verdict(who=who, known=known), Allow)


def test_r04_positions_of_another_log_prove_nothing() -> None:
    """They are of no log that can be asked."""
    assert verdict(who=session(seen=6, log_id="lost")) == Challenge("log_lost")
    assert isinstance(
        verdict(who=session(), chain=replace(closed_chain(), log_id="lost", position=7)), Challenge
    )


def test_a_stale_index_comes_before_what_somebody_has_seen() -> None:
    """The log cannot be asked then, or nobody is let in anyway."""
    assert verdict(who=session(seen=6), known=revocations(age=301)) == Deny("state_stale")


def test_a_live_session_is_let_through() -> None:
    """With the policies that said so, and with what the policy was asked."""
    ruled = policy()
    assert verdict(asked("PROPFIND", "/a%20b", Origin=HERE), session(), ruled=ruled) == Allow(
        session(), ("p",)
    )
    (question,) = ruled.asked
    assert question == {
        "principal": session().principal, "method": "PROPFIND", "route": "/", "host": "app.example.com", "path": "/a b",
        "client": "192.0.2.1", "now": NOW, "generation": 3,
    }  # fmt: skip


def test_nobody_is_challenged() -> None:
    """No session, no policy for Anonymous: sign in."""
    assert verdict() == Challenge("login_required")


def test_r09_only_a_policy_for_anonymous_opens_without_a_session() -> None:
    """Then the session is None, so that no identity can be injected."""
    assert verdict(ruled=policy()) == Allow(None, ("p",))
    dead = session(idle_until=NOW)
    ruled = policy()
    assert verdict(who=dead, ruled=ruled) == Allow(None, ("p",))
    assert ruled.asked[0]["principal"] is None


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        (session(idle_until=NOW), "idle_expired"),
        (session(absolute_until=NOW), "absolute_expired"),
        (session(login_at=NOW - 43_200), "absolute_expired"),
        (session(log_id="another"), "log_lost"),
        (session(log_id=""), "log_lost"),
    ],
)
def test_a_dead_session_is_challenged(who: Session, reason: str) -> None:
    """Each death has its name."""
    assert verdict(who=who) == Challenge(reason)


@pytest.mark.parametrize(
    ("away", "expected"),
    [(False, Challenge("login_required")), (True, Deny(SESSIONS_AWAY))],
)
def test_a_session_whose_rest_cannot_be_had_has_no_rights(away: bool, expected: Challenge | Deny) -> None:
    """The cookie alone opens nothing: without its store nobody is signed out, and nothing is let through either."""
    assert verdict(who=husk(ticket_of(issued(session())), away=away)) == expected


@pytest.mark.parametrize("away", [False, True])
def test_r01_an_ended_session_is_told_as_ended_without_its_store(away: bool) -> None:
    """What the cookie says is enough for that, so its browser finishes signing out."""
    found = verdict(who=husk(ticket_of(issued(session())), away=away), known=revocations(ended()))
    assert isinstance(found, Challenge)
    assert found.reason == "revoked"


def test_r04_sessions_of_a_lost_log_stay_only_where_that_was_accepted() -> None:
    """A lost log fails closed, unless the operator said otherwise."""
    who = session(log_id="another")
    assert verdict(who=who, rules=replace(RULES, accept_log_loss=True)) == Allow(who, ("spa",))


def test_r06_a_session_whose_end_may_have_been_forgotten_is_over() -> None:
    """A machine with a wrong clock has trimmed the log: what its entries ended stays dead, all others live."""
    known = revocations()
    known.index.forgotten = NOW + 3_600 + ENTRY_MARGIN
    dead, alive = session(absolute_until=NOW + 3_600), session(absolute_until=NOW + 3_601)
    assert verdict(who=dead, known=known) == Challenge("absolute_expired")
    assert isinstance(verdict(who=alive, known=known), Allow)


def test_r06_a_revoked_session_names_its_entry() -> None:
    """By its own id or by its subject's, and only where it logged in before."""
    for entry in (ended(), NewEntry(SUBJECT, NOW + 50_000, "admin"), NewEntry("*", NOW + 50_000, "epoch")):
        said = verdict(who=session(), known=revocations(entry))
        assert isinstance(said, Challenge)
        assert said.reason == "revoked"
        assert said.revoked is not None
        assert said.revoked.key == entry.key
    later = session(seen=10)
    assert verdict(who=later, known=revocations(NewEntry(SUBJECT, NOW + 50_000, "admin"))) == Allow(
        later, ("spa",)
    )
    assert isinstance(verdict(who=later, known=revocations(ended())), Challenge)


@pytest.mark.parametrize("age", [300.1, 9_999.0, float("inf")])
def test_r05_a_stale_index_lets_nothing_through(age: float) -> None:
    """Not a session, not Anonymous; nothing can be known."""
    assert verdict(who=session(), known=revocations(age=age)) == Deny("state_stale")
    assert verdict(ruled=policy(), known=revocations(age=age)) == Deny("state_stale")


def test_r05_a_route_may_opt_out_of_staleness_but_not_of_loading() -> None:
    """``when_stale: serve`` serves from an old index, never from none."""
    calm = replace(ROUTE, when_stale="serve")
    assert verdict(who=session(), route=calm, known=revocations(age=9_999)) == Allow(session(), ("spa",))
    assert verdict(who=session(), route=calm, known=revocations(age=float("inf"))) == Deny("state_stale")
    assert isinstance(verdict(who=session(), route=calm, known=revocations(ended(), age=9_999)), Challenge)


def test_r05_a_young_index_is_believed() -> None:
    """Up to ``max_staleness`` seconds."""
    assert verdict(who=session(), known=revocations(age=300)) == Allow(session(), ("spa",))


def test_r02_the_barrier_stands_by_the_entry_alone() -> None:
    """A request whose session was ended by a logout is told so even without the chain's cookie."""
    assert verdict(who=session(), known=revocations(ended(barrier=NOW + 1))) == Deny("logout_in_progress")
    assert isinstance(verdict(who=session(), known=revocations(ended(barrier=NOW))), Challenge)


def test_r02_the_barrier_stands_by_the_chain_alone() -> None:
    """A browser in the middle of a logout starts no sign-in, whatever else it carries."""
    assert verdict(chain=open_chain()) == Deny("logout_in_progress")
    assert verdict(chain=open_chain(NOW - 120)) == Challenge("login_required")
    assert verdict(chain=closed_chain()) == Challenge("login_required")


def test_r02_a_closed_chain_lifts_the_entrys_barrier() -> None:
    """Who has been signed out everywhere may sign in again at once."""
    known = revocations(ended(barrier=NOW + 100))
    assert isinstance(verdict(who=session(), known=known, chain=closed_chain()), Challenge)


def test_r02_a_session_whose_callback_was_overtaken_by_a_logout_is_none() -> None:
    """The login began before the logout of the same browser, so it does not count, though nothing has revoked it."""
    for at in (NOW - 6, NOW - 5):
        who = session(login_at=at)
        assert verdict(who=who, chain=open_chain()) == Deny("logout_in_progress")
        assert verdict(who=who, chain=closed_chain()) == Challenge("signed_out")
    later = session(login_at=NOW - 4)
    assert verdict(who=later, chain=closed_chain()) == Allow(later, ("spa",))
    assert session_state(session(login_at=NOW - 9), revocations(), RULES, NOW) == session(login_at=NOW - 9)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "X", "get"])
def test_r08_another_sites_request_is_refused_with_a_session(method: str) -> None:
    """It would act in the user's name; a policy that allows it changes nothing."""
    crossing = asked(method, Sec_Fetch_Site="same-site", Origin="https://evil.example.com")
    ruled = policy()
    assert verdict(crossing, session(), ruled=ruled) == Deny("cross_origin")
    assert not ruled.asked


def test_r08_a_hijacked_websocket_is_refused() -> None:
    """A handshake from another site, or from nowhere, is no GET like any other."""
    assert verdict(asked(Upgrade="websocket", Origin="https://evil.example"), session()) == Deny(
        "cross_origin"
    )
    assert verdict(asked(Upgrade="websocket"), session()) == Deny("cross_origin")
    assert verdict(asked(Upgrade="websocket", Origin=HERE), session()) == Allow(session(), ("spa",))


def test_r09_anything_but_allow_is_a_deny() -> None:
    """A signed-in user hears 403 with the policies, an unknown method 405."""
    assert verdict(who=session(), ruled=policy(allowed=False, code="denied")) == Deny("denied", ("p",))
    assert verdict(who=session(), ruled=policy(allowed=False, code="unknown_method")) == Deny(
        "unknown_method"
    )
    assert verdict(ruled=policy(allowed=False, code="unknown_method")) == Deny("unknown_method")


def test_r32_an_encoded_slash_passes_only_where_the_route_admits_it() -> None:
    """Judged by the raw path: %252F is no slash."""
    assert verdict(asked(target="/a%2fb"), session()) == Deny("encoded_slash")
    assert verdict(asked(target="/a%2Fb"), session()) == Deny("encoded_slash")
    admitting = replace(ROUTE, encoded_slashes=True)
    assert verdict(asked(target="/a%2fb"), session(), route=admitting) == Allow(session(), ("spa",))
    for twice in ("/a%252Fb", "/a%252fb"):
        assert verdict(asked(target=twice), session()) == Allow(session(), ("spa",))


@pytest.mark.parametrize(("insensitive", "shown"), [(True, "/admin/x"), (False, "/Admin/X")])
def test_policies_see_paths_of_an_insensitive_route_in_lower_case(insensitive: bool, shown: str) -> None:
    """Also for nobody: what a forbid closes stays closed in any spelling. What is forwarded is as it came."""
    for who in (session(), None):
        facts, ruled = asked(target="/Admin/%58"), policy(allowed=False, code="denied")
        verdict(facts, who, ruled=ruled, route=replace(ROUTE, insensitive=insensitive))
        assert [question["path"] for question in ruled.asked] == [shown]
        assert facts.raw_path == "/Admin/%58"


@given(
    who=st.none()
    | st.builds(
        session,
        idle_until=st.integers(NOW - 2, NOW + 2),
        absolute_until=st.integers(NOW - 2, NOW + 2),
        log_id=st.sampled_from(["log", "lost"]),
        login_at=st.integers(NOW - 8, NOW),
        seen=st.integers(8, 12),
    ),
    entries=st.lists(
        st.builds(
            NewEntry,
            st.sampled_from([sid_key("sid-1"), SUBJECT, "*", sid_key("other")]),
            st.integers(NOW - 1, NOW + 2),
            st.just("x"),
            barrier=st.none() | st.integers(NOW - 1, NOW + 1),
        ),
        max_size=3,
    ),
    chain=st.sampled_from([None, open_chain(), closed_chain(), open_chain(NOW - 200)]),
    age=st.sampled_from([0.0, 301.0, float("inf")]),
)
def test_nothing_passes_without_a_live_session(
    who: SessionOrHusk | None, entries: list[NewEntry], chain: Chain | None, age: float
) -> None:
    """Whatever the combination: what is allowed is fresh, of this log, unrevoked, unsuperseded, with a known index."""
    known = revocations(*entries, age=age)
    said = verdict(who=who, known=known, chain=chain)
    if not isinstance(said, Allow):
        return
    assert said.session is who is not None
    assert age == 0.0
    assert who.idle_until > NOW
    assert who.absolute_until > NOW
    assert who.log_id == "log"
    assert chain is None or who.login_at > chain.started
    assert known.index.ended_by(who) is None
