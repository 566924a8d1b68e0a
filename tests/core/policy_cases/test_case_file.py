"""Reading cases.yaml: both forms, and every fault with its line."""

from __future__ import annotations

import pytest

from gateway.core.policy.faults import PolicyFaultsError
from gateway.core.policy.policy_set import PolicySet
from gateway.core.policy_cases.case_file import parse_cases
from gateway.core.policy_cases.cases import failures
from gateway.state import policy_files

SCHEMA = (policy_files.shipped() / policy_files.SCHEMA).read_text()

CASE = "{as: alice, groups: [admins], request: GET /admin/x, expect: allow, by: admins-only}"


def faults(text: str) -> list[str]:
    with pytest.raises(PolicyFaultsError) as caught:
        parse_cases("cases.yaml", text)
    return [str(fault) for fault in caught.value.faults]


def test_a_list_of_cases() -> None:
    """The short form: one route, everything else as left out."""
    (case,) = parse_cases("cases.yaml", f"# a comment\n- {CASE}\n")
    assert (case.place, case.allowed, case.some, case.exactly) == (
        "cases.yaml:2",
        True,
        frozenset({"admins-only"}),
        None,
    )
    asked = case.inquiry
    assert asked.principal is not None
    assert (asked.principal.user, asked.principal.groups, asked.method) == ("alice", ("admins",), "GET")
    assert (asked.path, asked.route, asked.host, asked.client) == (
        "/admin/x", "/", "app.example.com", "192.0.2.1",
    )  # fmt: skip


def test_a_mapping_of_routes_and_cases() -> None:
    """The long form says which routes there are."""
    text = f"""
routes: ["/", "/api/"]
cases:
  - {CASE}
  - as: anonymous
    request: GET https://h.test/api/x
    client: 10.0.0.1
    expect: deny
    by: []
"""
    one, two = parse_cases("cases.yaml", text)
    assert (one.inquiry.route, two.inquiry.route) == ("/", "/api/")
    assert two.inquiry.principal is None
    assert (two.inquiry.host, two.inquiry.client, two.exactly, two.line) == (
        "h.test",
        "10.0.0.1",
        frozenset(),
        5,
    )


def test_a_mapping_without_routes() -> None:
    """The long form may leave them out: one route, as in the short one."""
    (case,) = parse_cases("cases.yaml", f"cases:\n  - {CASE}\n")
    assert (case.inquiry.route, case.place) == ("/", "cases.yaml:2")


def test_cases_know_routes_whose_paths_are_shown_in_lower_case() -> None:
    """Decided as the gate does it: any spelling is the route's, and policies see small letters; elsewhere they do not."""
    text = """
routes: ["/", {path: /Legacy/, paths: insensitive}, {path: /new/, paths: exact}]
cases:
  - {as: alice, request: GET /LEGACY/Admin, expect: deny, by: closed}
  - {as: alice, request: GET /new/Admin, expect: allow, by: [all]}
"""
    policies = PolicySet.parse(
        {
            "p.cedar": '@id("all") permit (principal is User, action, resource);\n'
            '@id("closed") forbid (principal, action, resource) when { context.path like "*/admin" };'
        },
        SCHEMA,
    )
    cases = parse_cases("cases.yaml", text)
    assert [case.inquiry.route for case in cases] == ["/Legacy/", "/new/"]
    assert failures(cases, policies) == []


@pytest.mark.parametrize(
    ("routes", "what"),
    [
        ("[{paths: insensitive}]", "the route '' is no path prefix"),
        ("[{path: legacy}]", "the route 'legacy' is no path prefix"),
        ("[{path: /, paths: any}]", "`paths: any` is not known; write exact or insensitive"),
        ("[{path: /, path_: x}]", "unknown key `path_`; did you mean `path`"),
        ("/", "this is not a list"),
    ],
)
def test_a_route_that_is_none_is_said(routes: str, what: str) -> None:
    """With its fix."""
    (fault,) = faults(f"routes: {routes}\ncases:\n  - {CASE}\n")
    assert what in fault


def test_values_are_the_text_that_is_written() -> None:
    """YAML's own ideas about ``no``, ``007`` and dates make nobody somebody else."""
    text = "- {as: no, groups: [007, yes, 2020-01-01, null], email: true, acr: 1e3, request: GET /, expect: deny}"
    (case,) = parse_cases("cases.yaml", text)
    who = case.inquiry.principal
    assert who is not None
    assert (who.user, who.groups, who.email, who.acr) == (
        "no",
        ("007", "yes", "2020-01-01", "null"),
        "true",
        "1e3",
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "cases.yaml: there is no case in it; write one: - {"),
        ("cases: []", "cases.yaml:1: `cases` is not a list of cases; write one: - {"),
        ("cases: 3", "cases.yaml:1: `cases` is not a list of cases; write one: - {"),
        ("routes: [/]", "cases.yaml:1: `cases` is not a list of cases; write one: - {"),
        (f"routes: /\ncases: [{CASE}]", "cases.yaml:1: this is not a list; write [one, two]"),
        (
            f"routes: [api]\ncases: [{CASE}]",
            "cases.yaml:1: the route 'api' is no path prefix; begin it with /",
        ),
        (f"case: [{CASE}]", "cases.yaml:1: unknown key `case`; did you mean `cases`?"),
        ("just text", "cases.yaml:1: this is something else; write a list of cases, or a mapping of"),
        ("- just text", "cases.yaml:1: this is something else; write a case like {"),
        ("- {as: a,\n  as: b}", "cases.yaml:2: `as` comes twice; keep one of them"),
        ("- {as: a, zzz: b}", "cases.yaml:1: unknown key `zzz`; there are as, groups, email, "),
        ("- {as: a, request: GET /}", "cases.yaml:1: this case has no `expect`; write it like {"),
        (
            "- {as: a, request: /, expect: deny}",
            "cases.yaml:1: a request is a method and an address; write it like GET",
        ),
        (
            "- {as: a, request: GET /, expect: no}",
            "cases.yaml:1: `expect: no` is neither allow nor deny; write one of",
        ),
        ("- {as: [a], request: GET /, expect: deny}", "cases.yaml:1: this is not one value; write one word"),
        (
            "- {as: a, groups: g, request: GET /, expect: deny}",
            "cases.yaml:1: this is not a list; write [one, two]",
        ),
        (
            "- {as: anonymous, groups: [g], request: GET /, expect: deny}",
            "cases.yaml:1: anonymous has no `groups`; leave it out, or say who it is with `as`",
        ),
        (
            "- {as: a, auth_age: 5m, request: GET /, expect: deny}",
            "cases.yaml:1: `auth_age: 5m` is no number of minutes; write whole minutes",
        ),
        (
            "- {as: a, client: home, request: GET /, expect: deny}",
            "cases.yaml:1: 'home' does not appear to be an IPv4 or IPv6 address; ",
        ),
        (
            "- {as: a, request: GET //x, expect: deny}",
            "cases.yaml:1: no policy would be asked: this request is refused as ambiguous_target: empty_segment",
        ),
        (
            "- {as: a,\n  request: GET /?x, expect: deny}",
            "cases.yaml:2: this is not YAML: expected ',' or '}'",
        ),
        ("- {as: a\n\x00", "cases.yaml: this is not YAML: "),
    ],
)
def test_every_fault_has_its_line_and_fix(text: str, fault: str) -> None:
    """What is wrong is said where it is wrong."""
    (found,) = faults(text)
    assert found.startswith(fault)


def test_all_faulty_cases_are_reported_at_once() -> None:
    """One run shows them all."""
    assert [fault.partition(":")[2][:1] for fault in faults(f"- x\n- {CASE}\n- {{as: a}}\n")] == ["1", "3"]
