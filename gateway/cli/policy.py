"""``gateway policy``: try policies before they decide anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.ending import FINDINGS, GOOD, USAGE, stop
from gateway.core.policy.faults import PolicyFaultsError
from gateway.core.policy.policy_set import PolicySet, PolicyVerdict
from gateway.core.policy.schema import canonical_client
from gateway.core.policy_cases.case_file import parse_cases
from gateway.core.policy_cases.cases import CLIENT, HOST, Inquiry, failures, inquiry, person, undecided
from gateway.core.session.session import Principal
from gateway.state import policy_files

app = typer.Typer(help="Try policies before they decide anything.", no_args_is_help=True)

_Dir = Annotated[str, typer.Argument(metavar="DIR", help="A directory with *.cedar files, or builtin:NAME.")]


@app.command()
def test(directory: _Dir) -> None:
    """Run the cases.yaml of a policy set: 0 all as expected, 1 findings, 2 there is no such policy set."""
    policies = _load(directory, on_fault=FINDINGS)
    try:
        cases = parse_cases(*policy_files.read_cases(directory, Path.cwd()))
    except PolicyFaultsError as error:
        stop(error.detail, FINDINGS)
    broken = failures(cases, policies)
    for case, how in broken:
        typer.echo(f"{case.place}: {case.inquiry}: {how}")
    for name in undecided(cases, policies):
        typer.echo(f'{policies.find(name).place}: no case shows what @id("{name}") does', err=True)
    typer.echo(f"{directory}: {len(cases) - len(broken)} of {len(cases)} cases as expected")
    raise typer.Exit(FINDINGS if broken else GOOD)


@app.command()
def explain(
    directory: _Dir,
    method: Annotated[str, typer.Argument(metavar="METHOD", help="For example GET.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="/path or https://host/path.")],
    user: Annotated[
        str | None, typer.Option("--as", metavar="USER", help="Who asks; nobody when left out.")
    ] = None,
    groups: Annotated[str | None, typer.Option(metavar="A,B", help="The user's groups.")] = None,
    email: Annotated[str | None, typer.Option(help="The user's verified e-mail address.")] = None,
    acr: Annotated[str | None, typer.Option(help="How the user signed in.")] = None,
    auth_age: Annotated[
        int | None, typer.Option(min=0, metavar="MINUTES", help="Time since sign-in.")
    ] = None,
    route: Annotated[list[str] | None, typer.Option(help="Path of an upstream; may be repeated.")] = None,
    insensitive: Annotated[
        list[str] | None, typer.Option(help="The same, of an upstream with `paths: insensitive`.")
    ] = None,
    host: Annotated[str, typer.Option(help="Host name of the request.")] = HOST,
    client: Annotated[str, typer.Option(help="Address of the client.")] = CLIENT,
) -> None:
    """Say what a policy set decides about one request, and which policies do: 0 allow, 1 deny, 2 usage."""
    who = _principal(user, groups=groups, email=email, acr=acr, auth_age=auth_age)
    try:
        canonical_client(client)
        either = insensitive or []
        routes = [*(route or ([] if "/" in either else ["/"])), *either]
        asked = inquiry(who, method, url, routes=routes, insensitive=either, host=host, client=client)
    except ValueError as error:
        stop(str(error), USAGE)
    policies = _load(directory, on_fault=USAGE)
    verdict = asked.put_to(policies)
    for line in _explanation(asked, verdict, policies):
        typer.echo(line)
    raise typer.Exit(GOOD if verdict.allowed else FINDINGS)


def _explanation(asked: Inquiry, verdict: PolicyVerdict, policies: PolicySet) -> list[str]:
    head = f"{'allow' if verdict.allowed else 'deny'}  {asked}, route {asked.route}"
    if verdict.code == "unknown_method":
        return [head, f"  no policy is asked about the method {asked.method}; the gateway answers 405"]
    if verdict.error:
        return [head, f"  a policy failed, and the gateway answers 500: {verdict.error}"]
    if not verdict.policies:
        return [head, "  no policy permits it"]
    found = [policies.find(name) for name in verdict.policies]
    return [head, *(f'  {policy.effect} @id("{policy.id}")  {policy.place}' for policy in found)]


def _principal(
    user: str | None, *, groups: str | None, email: str | None, acr: str | None, auth_age: int | None
) -> Principal | None:
    of_people = {"--groups": groups, "--email": email, "--acr": acr, "--auth-age": auth_age}
    given = [name for name, value in of_people.items() if value is not None]
    if user is None and given:
        stop(f"{', '.join(given)}: anonymous has none of these; say who asks with --as USER", USAGE)
    if user is None:
        return None
    names = [name.strip() for name in (groups or "").split(",")]
    return person(user, [name for name in names if name], email=email, acr=acr, auth_age=auth_age or 0)


def _load(source: str, *, on_fault: int) -> PolicySet:
    """The policy set, or the end: status 2 when there is none, ``on_fault`` when there is one with faults."""
    try:
        policy_files.directory_of(source, Path.cwd())
    except PolicyFaultsError as error:
        stop(error.detail, USAGE)
    try:
        return policy_files.load(source, Path.cwd())
    except PolicyFaultsError as error:
        stop(error.detail, on_fault)
