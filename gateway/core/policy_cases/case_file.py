"""Reading ``cases.yaml``: a list of cases, or a mapping of ``routes`` and ``cases``.

Every value is taken as the text that is written, so that a user called ``no`` or a group called ``007`` stays one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import yaml

from gateway.core.policy.faults import PolicyFault, PolicyFaultsError
from gateway.core.policy.schema import canonical_client
from gateway.core.policy_cases.cases import CLIENT, HOST, Case, inquiry, person
from gateway.core.session.session import Principal

_KEYS = ("as", "groups", "email", "acr", "auth_age", "request", "host", "client", "expect", "by")
_OF_PEOPLE = ("groups", "email", "acr", "auth_age")
_EXAMPLE = "{as: alice, groups: [admins], request: GET /admin/x, expect: allow, by: admins-only}"


class _Wrong(Exception):  # noqa: N818  it carries a fault to where faults are collected, and goes no further
    def __init__(self, node: yaml.Node, what: str, fix: str) -> None:
        super().__init__(what)
        self.node = node
        self.what = what
        self.fix = fix

    def fault(self, file: str) -> PolicyFault:
        return PolicyFault(file, self.node.start_mark.line + 1, self.what, self.fix)


def parse_cases(file: str, text: str) -> list[Case]:
    """The cases in ``text``.

    :param file: its name, for the faults.
    :raises PolicyFaultsError: with every fault there is.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise PolicyFaultsError([_yaml_fault(file, error)]) from error
    if root is None:
        raise PolicyFaultsError([PolicyFault(file, 0, "there is no case in it", f"write one: - {_EXAMPLE}")])
    faults: list[PolicyFault] = []
    cases: list[Case] = []
    try:
        nodes, routes, insensitive = _parts(root)
    except _Wrong as wrong:
        raise PolicyFaultsError([wrong.fault(file)]) from wrong
    for node in nodes:
        try:
            cases.append(_case(file, node, routes, insensitive))
        except _Wrong as wrong:
            faults.append(wrong.fault(file))
    if faults:
        raise PolicyFaultsError(faults)
    return cases


def _yaml_fault(file: str, error: yaml.YAMLError) -> PolicyFault:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return PolicyFault(
        file, mark.line + 1 if mark else 0, f"this is not YAML: {problem}", f"write - {_EXAMPLE}"
    )


def _parts(root: yaml.Node) -> tuple[list[yaml.Node], list[str], list[str]]:
    """The nodes of the cases, the routes they are decided under, and those of them with ``paths: insensitive``."""
    if isinstance(root, yaml.SequenceNode):
        return root.value, ["/"], []
    top = _mapping(root, ("routes", "cases"), "a list of cases, or a mapping of `routes` and `cases`")
    listed = top.get("cases")
    if not isinstance(listed, yaml.SequenceNode) or not listed.value:
        raise _Wrong(listed or root, "`cases` is not a list of cases", f"write one: - {_EXAMPLE}")
    if "routes" not in top:
        return listed.value, ["/"], []
    routes = [_route(node) for node in _nodes(top["routes"])]
    return listed.value, [path for path, _ in routes], [path for path, either in routes if either]


def _route(node: yaml.Node) -> tuple[str, bool]:
    """The path of an upstream, and whether it has ``paths: insensitive``: written as a path, or as in gateway.yaml."""
    keys = {"path": node}
    if isinstance(node, yaml.MappingNode):
        keys = _mapping(node, ("path", "paths"), "a path, or {path: /legacy/, paths: insensitive}")
    route, paths = _text_or(keys, "path", ""), _text_or(keys, "paths", "exact")
    if not route.startswith("/"):
        raise _Wrong(node, f"the route {route!r} is no path prefix", "begin it with /")
    if paths not in {"exact", "insensitive"}:
        raise _Wrong(keys["paths"], f"`paths: {paths}` is not known", "write exact or insensitive")
    return route, paths == "insensitive"


def _case(file: str, node: yaml.Node, routes: list[str], insensitive: list[str]) -> Case:
    keys = _mapping(node, _KEYS, f"a case like {_EXAMPLE}")
    for needed in ("as", "request", "expect"):
        if needed not in keys:
            raise _Wrong(node, f"this case has no `{needed}`", f"write it like {_EXAMPLE}")
    method, space, url = _text(keys["request"]).partition(" ")
    if not space:
        raise _Wrong(keys["request"], "a request is a method and an address", "write it like GET /admin/x")
    host, client = _text_or(keys, "host", HOST), _text_or(keys, "client", CLIENT)
    try:
        canonical_client(client)
        who, url = _principal(keys), url.strip()
        asked = inquiry(who, method, url, routes=routes, insensitive=insensitive, host=host, client=client)
    except ValueError as error:
        raise _Wrong(
            keys["client" if "client" in keys else "request"], str(error), "fix it, or leave it out"
        ) from error
    by = keys.get("by")
    exactly = frozenset(_texts(by)) if isinstance(by, yaml.SequenceNode) else None
    some = frozenset({_text(by)}) if by is not None and exactly is None else frozenset()
    return Case(file, node.start_mark.line + 1, asked, _expected(keys["expect"]), some, exactly)


def _expected(node: yaml.Node) -> bool:
    word = _text(node)
    if word not in {"allow", "deny"}:
        raise _Wrong(node, f"`expect: {word}` is neither allow nor deny", "write one of the two")
    return word == "allow"


def _principal(keys: dict[str, yaml.Node]) -> Principal | None:
    user = _text(keys["as"])
    if user == "anonymous":
        for key in _OF_PEOPLE:
            if key in keys:
                raise _Wrong(
                    keys[key], f"anonymous has no `{key}`", "leave it out, or say who it is with `as`"
                )
        return None
    age = _text_or(keys, "auth_age", "0")
    if not age.isdecimal():
        raise _Wrong(keys["auth_age"], f"`auth_age: {age}` is no number of minutes", "write whole minutes")
    return person(
        user,
        _texts(keys["groups"]) if "groups" in keys else (),
        email=_text(keys["email"]) if "email" in keys else None,
        acr=_text(keys["acr"]) if "acr" in keys else None,
        auth_age=int(age),
    )


def _mapping(node: yaml.Node, allowed: Iterable[str], what: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise _Wrong(node, "this is something else", f"write {what}")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = _text(key)
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1)
            fix = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(allowed)}"
            raise _Wrong(key, f"unknown key `{name}`", fix)
        if name in found:
            raise _Wrong(key, f"`{name}` comes twice", "keep one of them")
        found[name] = value
    return found


def _text(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Wrong(node, "this is not one value", "write one word or one quoted text")
    return str(node.value)


def _text_or(keys: dict[str, yaml.Node], key: str, default: str) -> str:
    return _text(keys[key]) if key in keys else default


def _nodes(node: yaml.Node) -> list[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode):
        raise _Wrong(node, "this is not a list", "write [one, two]")
    return list(node.value)


def _texts(node: yaml.Node) -> list[str]:
    return [_text(each) for each in _nodes(node)]
