"""``gateway policy test`` and ``gateway policy explain``: what they print and how they end."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.policy import app

GOOD = '@id("good") permit (principal is User, action, resource);\n'


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy set of one's own in ./own, with one case."""
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "own"
    directory.mkdir()
    (directory / "a.cedar").write_text(f"// users\n{GOOD}")
    (directory / "cases.yaml").write_text("- {as: bob, request: GET /, expect: allow, by: good}\n")
    return directory


@pytest.mark.parametrize("name", ["spa", "groups"])
def test_the_shipped_cases_are_as_expected(name: str) -> None:
    """Their own command finds nothing."""
    result = run("test", f"builtin:{name}")
    assert result.exit_code == 0
    assert result.stdout.endswith("cases as expected\n")
    assert result.stderr == ""


def test_a_broken_case_is_named_with_its_line(own: Path) -> None:
    """One line says which case, what was asked, what was expected and what is."""
    with (own / "cases.yaml").open("a") as cases:
        cases.write("- {as: anonymous, request: GET /x, expect: allow}\n")
    result = run("test", "own")
    assert result.exit_code == 1
    assert result.stdout == (
        "own/cases.yaml:2: GET /x as anonymous: expected allow, is deny: no policy permits it\n"
        "own: 1 of 2 cases as expected\n"
    )


def test_a_policy_without_a_case_is_mentioned(own: Path) -> None:
    """It is no finding, but nothing shows what the policy does."""
    (own / "b.cedar").write_text(
        '@id("b") forbid (principal, action, resource) when { context.path == "/b" };'
    )
    result = run("test", "own")
    assert (result.exit_code, result.stdout) == (0, "own: 1 of 1 cases as expected\n")
    assert result.stderr == 'own/b.cedar:1: no case shows what @id("b") does\n'


def test_faulty_policies_and_cases_are_findings(own: Path) -> None:
    """Status 1, with every fault on a line of its own."""
    (own / "cases.yaml").write_text("- {as: bob}\n- {}\n")
    result = run("test", "own")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 2)
    (own / "a.cedar").write_text("permit (principal, action, resource);")
    result = run("test", "own")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 2)
    assert result.stderr.startswith("own/a.cedar:1: ")


@pytest.mark.parametrize(
    "command", [["test", "nope"], ["explain", "nope", "GET", "/"], ["test"], ["test", "builtin:x"]]
)
def test_no_such_policy_set_is_a_usage_error(command: list[str]) -> None:
    """Status 2, and the message names what there is."""
    result = run(*command)
    assert result.exit_code == 2
    assert result.stderr


def test_an_allow_is_explained_by_policy_and_place() -> None:
    """Verdict, names and places; status 0."""
    result = run("explain", "builtin:groups", "--as", "alice", "--groups", "admins, staff", "GET", "/admin/x")
    assert result.exit_code == 0
    assert result.stdout == (
        "allow  GET /admin/x as alice (admins, staff), route /\n"
        '  permit @id("admins-only")  builtin:groups/admins.cedar:5\n'
        '  permit @id("staff-read")  builtin:groups/staff.cedar:4\n'
    )


def test_a_deny_is_explained_by_the_forbid_or_by_its_absence() -> None:
    """Status 1 either way."""
    result = run("explain", "builtin:groups", "--as", "bob", "--groups", "staff", "GET", "/admin/x")
    assert (result.exit_code, result.stdout.splitlines()[1]) == (
        1,
        '  forbid @id("admin-area-closed")  builtin:groups/admins.cedar:15',
    )
    result = run("explain", "builtin:spa", "GET", "/")
    assert (result.exit_code, result.stdout) == (
        1,
        "deny  GET / as anonymous, route /\n  no policy permits it\n",
    )


def test_an_unknown_method_is_explained() -> None:
    """The gateway's answer is not 403 but 405."""
    result = run("explain", "builtin:spa", "--as", "bob", "BREW", "/")
    assert result.exit_code == 1
    assert "the gateway answers 405" in result.stdout


def test_every_option_reaches_the_policy(own: Path) -> None:
    """Each is decisive on its own."""
    (own / "a.cedar").write_text(
        """@id("all") permit (principal in Group::"g", action == Action::"POST", resource == Route::"/api/")
when {
  principal has email && principal.email == "b@x" && context has acr && context.acr == "mfa" &&
  context has auth_age && context.auth_age == 7 && context.host == "h.test" && context.client == ip("10.0.0.1")
};"""
    )
    options = {
        "--as": "bob", "--groups": "g", "--email": "b@x", "--acr": "mfa", "--auth-age": "7",
        "--route": "/api/", "--host": "h.test", "--client": "10.0.0.1",
    }  # fmt: skip
    everything = [part for option in options.items() for part in option]
    assert run("explain", "own", *everything, "POST", "/api/x").exit_code == 0
    assert run("explain", "own", *everything, "POST", "https://other.test/api/x").exit_code == 1
    for left_out in options.keys() - {"--as"}:
        some = [part for option in options.items() if option[0] != left_out for part in option]
        assert run("explain", "own", *some, "POST", "/api/x").exit_code == 1, left_out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--groups", "a", "GET", "/"], "--groups: anonymous has none of these; say who asks with --as USER"),
        (
            ["GET", "/%2e%2e/x"],
            "no policy would be asked: this request is refused as ambiguous_target: dot_segment",
        ),
        (["GET", "x"], "'x' is neither a path nor an http address; write /path or https://host/path"),
        (["--client", "home", "GET", "/"], "'home' does not appear to be an IPv4 or IPv6 address"),
        (
            ["--route", "/api/", "GET", "/"],
            "no policy would be asked: this request is refused as not_found: no_upstream",
        ),
    ],
)
def test_a_question_that_makes_no_sense_is_a_usage_error(arguments: list[str], message: str) -> None:
    """Status 2, which no deny has."""
    result = run("explain", "builtin:spa", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_faulty_policies_explain_nothing(own: Path) -> None:
    """Status 2: a fault is neither allow nor deny."""
    (own / "a.cedar").write_text("permit (principal, action, resource);")
    result = run("explain", "own", "GET", "/")
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_policy_that_fails_is_explained_as_an_error(own: Path) -> None:
    """The gateway would answer 500, and here is why."""
    (own / "a.cedar").write_text(
        GOOD + '@id("f") forbid (principal, action, resource)\n'
        "when { context has auth_age && context.auth_age * 9223372036854775807 > 0 };"
    )
    result = run("explain", "own", "--as", "bob", "--auth-age", "5", "GET", "/")
    assert result.exit_code == 1
    assert "the gateway answers 500" in result.stdout
    assert "overflow" in result.stdout


@pytest.mark.parametrize(("option", "status"), [("--insensitive", 1), ("--route", 0)])
def test_a_route_may_show_paths_in_lower_case(own: Path, option: str, status: int) -> None:
    """As `upstreams[].paths: insensitive` does; the set itself makes no difference here."""
    (own / "b.cedar").write_text(
        '@id("closed") forbid (principal, action, resource) when { context.path like "/app/admin*" };'
    )
    result = run("explain", "own", "--as", "bob", option, "/app/", "GET", "/app/Admin")
    assert (result.exit_code, "route /app/" in result.stdout) == (status, True)
    assert ("closed" in result.stdout) == (status == 1)
