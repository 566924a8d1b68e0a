"""Tests mirror the sources, and files stay readable in one sitting."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST = 400

ELSEWHERE = {
    "app/ext_authz.py": "tests/web/ext_authz/test_service.py",  # all of it together, asked over sockets
    "web/ext_authz/call.py": "tests/web/ext_authz/test_connection.py",
    "web/ext_authz/listener.py": "tests/web/ext_authz/test_connection.py",
    "cli/main.py": "tests/cli/test_policy.py",  # names the commands; every command's test runs through it
    "cli/serve.py": "tests/app/test_server.py",  # as a process of its own
    "config/file_checks.py": "tests/config/test_file_rules.py",
    "web/endpoints/assertion_keys.py": "tests/flows/test_assertion.py",
    "web/door/arrival.py": "tests/web/door/test_arrivals.py",  # what stands for the transport meanwhile
    "config/remarks.py": "tests/config/test_rules.py",  # what the rules are made of
    **{
        f"oidc/providers/{name}.py": "tests/oidc/providers/test_descriptor.py"  # data, by what is made of it
        for name in ("auth0", "cognito", "entra", "google", "keycloak", "okta", "openid")
    },
    "doctor/check.py": "tests/doctor/test_examination.py",  # what a check is, by running them
    "doctor/verdict.py": "tests/doctor/test_examination.py",
    "app/inbound.py": "tests/flows/test_security_events.py",  # over real sockets, each way in for itself
    "app/endpoints.py": "tests/flows/test_gate_wire.py",  # over real sockets
    "settings/bad_value.py": "tests/settings/test_units.py",  # by those who raise it
    "settings/kinds.py": "tests/config/test_fields.py",  # the types, by the keys that have them
    "settings/model.py": "tests/config/test_reference.py",  # held against the reference listing
    "settings/sections.py": "tests/config/test_reference.py",
    "settings/session_sections.py": "tests/config/test_session_rules.py",
    "web/endpoints/session/activity.py": "tests/flows/test_activity.py",
    "web/endpoints/inbound/backchannel.py": "tests/flows/test_backchannel.py",  # endpoints are tested over real sockets
    "web/endpoints/signin/callback.py": "tests/flows/test_login.py",
    "web/endpoints/inbound/frontchannel.py": "tests/flows/test_frontchannel.py",
    "web/endpoints/signin/landing.py": "tests/flows/test_landing.py",
    "web/endpoints/signout/logout.py": "tests/flows/test_logout.py",
    "web/endpoints/inbound/okta_events.py": "tests/flows/test_okta_events.py",
    "web/endpoints/signout/receipt_keys.py": "tests/flows/test_signed_receipts.py",
    "web/endpoints/session/sessions.py": "tests/flows/test_sessions.py",
    "web/endpoints/inbound/security_events.py": "tests/flows/test_security_events.py",
    "web/endpoints/session/session.py": "tests/flows/test_gate_wire.py",
    "web/endpoints/signin/start.py": "tests/flows/test_login.py",
    "web/endpoints/inbound/universal_logout.py": "tests/flows/test_universal_logout.py",
    "doctor/walk_steps.py": "tests/doctor/test_walk.py",
    "web/door/limits.py": "tests/web/door/test_connections.py",
    "web/signout/logout_options.py": "tests/web/signout/test_logout.py",  # what they do
    "workers/desk.py": "tests/workers/test_parent.py",  # real processes
    "workers/worker.py": "tests/workers/test_parent.py",
}
"""Modules without a test file of their own name, and where they are tested."""


def modules() -> list[str]:
    """Every module below `gateway/` but the demo, which is tested from outside as a browser sees it."""
    found = [path.relative_to(ROOT / "gateway") for path in (ROOT / "gateway").rglob("*.py")]
    code = [path for path in found if not path.name.startswith("__") and path.parts[0] != "demo"]
    return sorted(path.as_posix() for path in code)


def test_each_module_has_its_test() -> None:
    """`gateway/core/x.py` is tested in `tests/core/test_x.py`, or where the list says."""
    missing = []
    for name in modules():
        folder, _, file = name.rpartition("/")
        if not (ROOT / "tests" / folder / f"test_{file}").exists() and name not in ELSEWHERE:
            missing.append(name)
    assert missing == []


def test_the_exceptions_are_true() -> None:
    """Each names a module that is there and a test file that is there."""
    for name, where in ELSEWHERE.items():
        assert (ROOT / "gateway" / name).exists(), name
        assert (ROOT / where).exists(), where


def test_no_file_is_too_long() -> None:
    """400 lines are more than anybody keeps in mind."""
    found = {
        path.relative_to(ROOT).as_posix()
        for top in ("gateway", "tests", "deploy")
        for path in (ROOT / top).rglob("*.py")
        if "node_modules" not in path.parts and len(path.read_text(encoding="utf-8").splitlines()) > LONGEST
    }
    assert found == set()
