"""What the tests of policies share: the schema, a policy set from a few lines, and one way to ask it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.policy.faults import PolicyFaultsError
from gateway.core.policy.policy_set import PolicySet, PolicyVerdict
from gateway.core.session.session import Principal

SCHEMA = (Path(__file__).parents[2] / "policies" / "schema.cedarschema").read_text(encoding="utf-8")
NOW = 1_800_000_000


def parsed(text: str, *, memo_size: int = 100) -> PolicySet:
    return PolicySet.parse({"p.cedar": text}, SCHEMA, memo_size=memo_size)


def faults(text: str, **more: str) -> list[str]:
    """The faults of ``text`` in p.cedar, and of other files, as they would be printed."""
    files = {"p.cedar": text, **{f"{name}.cedar": other for name, other in more.items()}}
    with pytest.raises(PolicyFaultsError) as caught:
        PolicySet.parse(files, SCHEMA)
    return caught.value.detail.splitlines()


def somebody(
    user: str = "alice",
    *groups: str,
    email: str | None = None,
    acr: str | None = None,
    auth_time: int = NOW,
) -> Principal:
    return Principal("https://issuer.test", user, user, email, groups, acr=acr, auth_time=auth_time)


def ask(
    policies: PolicySet,
    principal: Principal | None = None,
    method: str = "GET",
    path: str = "/",
    *,
    route: str = "/",
    host: str = "app.test",
    client: str = "192.0.2.7",
    now: int = NOW,
    generation: int = 0,
) -> PolicyVerdict:
    return policies.decide(
        principal=principal,
        method=method,
        route=route,
        host=host,
        path=path,
        client=client,
        now=now,
        generation=generation,
    )
