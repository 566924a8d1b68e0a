"""The shipped policies decide what their cases say; ``gateway policy test`` runs the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.policy_cases.case_file import parse_cases
from gateway.core.policy_cases.cases import Case, person, undecided
from gateway.state import policy_files
from tests.core.policy_samples import ask

SETS = [f"builtin:{name}" for name in policy_files.builtin_names()]
CASES = [(source, case) for source in SETS for case in parse_cases(*policy_files.read_cases(source, Path()))]


@pytest.mark.parametrize(("source", "case"), CASES, ids=[case.place for _, case in CASES])
def test_a_shipped_policy_decides_as_its_case_says(source: str, case: Case) -> None:
    """Verdict and deciding policies are those of cases.yaml."""
    assert not case.broken_by(case.inquiry.put_to(policy_files.load(source, Path())))


@pytest.mark.parametrize("source", SETS)
def test_every_shipped_policy_has_a_case(source: str) -> None:
    """No policy is shipped that nothing shows at work."""
    cases = [case for name, case in CASES if name == source]
    assert undecided(cases, policy_files.load(source, Path())) == []


@pytest.mark.parametrize("source", SETS)
def test_r09_nothing_shipped_is_public(source: str) -> None:
    """Anonymous is allowed nothing: no method, no path that is usually open."""
    policies = policy_files.load(source, Path())
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PROPFIND"):
        for path in ("/", "/favicon.ico", "/assets/x.js", "/health", "/admin", "/api/admin", "/robots.txt"):
            assert not ask(policies, None, method, path).allowed


@pytest.mark.parametrize("source", SETS)
def test_a_policy_less_is_noticed(source: str, tmp_path: Path) -> None:
    """Without any one of the shipped policies some case is broken: the cases depend on all of them."""
    whole = policy_files.load(source, Path())
    cases = [case for name, case in CASES if name == source]
    for left_out in whole.policies:
        rest = [policy for policy in whole.policies if policy is not left_out]
        if not rest:
            continue
        (tmp_path / "rest.cedar").write_text("\n".join(policy.statement.text for policy in rest))
        policies = policy_files.load(".", tmp_path)
        assert any(case.broken_by(case.inquiry.put_to(policies)) for case in cases), left_out.id


def test_somebody_in_no_group_of_the_example_gets_nothing() -> None:
    """``groups`` is closed to those it does not speak of."""
    policies = policy_files.load("builtin:groups", Path())
    for path in ("/", "/admin", "/api/x"):
        assert not ask(policies, person("dave", ["interns"]), path=path).allowed
