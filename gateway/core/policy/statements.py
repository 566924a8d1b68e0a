"""Reading policy files: one statement after another, by Cedar's rules and by ours (rule R9).

Cedar accepts ``permit (principal, action, resource);`` and with it lets everybody in, signed in or not. The rules of
this house make that impossible: a permit says whom it is for, a policy has a name, and everything is validated against
the schema. Every statement is examined on its own, so that one mistake does not hide the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import cedarpy
from cedarpy import pst

from gateway.core.policy.faults import PolicyFault, explained
from gateway.core.policy.view import Uses, asked, mentioned

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n\r]*|;', re.DOTALL)
_BLANK = re.compile(r"(?:\s|//[^\n\r]*)*")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NEEDS_ID = 'write @id("what-it-does") above it: letters, digits, `.`, `_` and `-`, at most 64'
_NEEDS_PRINCIPAL = (
    'say whom: `principal is User`, `principal in Group::"…"`, `principal == User::"…"`, '
    "or `principal is Anonymous` where everybody is meant"
)
_NO_TEMPLATES = "nothing links templates here; write the principal or resource out"


@dataclass(frozen=True, slots=True)
class Statement:
    """The text of one policy and where it begins, its comments left out in front."""

    file: str
    line: int
    text: str

    def fault(self, what: str, fix: str, *, line: int | None = None) -> PolicyFault:
        return PolicyFault(self.file, line or self.line, what, fix)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy as it was read.

    :ivar effect: ``permit`` or ``forbid``.
    :ivar mentions: attributes of ``context`` on which its answer can depend.
    :ivar of_path: what it asks about ``context.path``.
    :ivar folds: it wants all paths in lower case, for the servers behind that make no difference.
    """

    id: str
    effect: str
    statement: Statement
    mentions: frozenset[str]
    of_path: Uses
    folds: bool = False

    @property
    def place(self) -> str:
        return f"{self.statement.file}:{self.statement.line}"


def statements(file: str, text: str) -> Iterator[Statement]:
    """``text`` cut after every ``;`` that is in no string and no comment.

    Where this reading and Cedar's could differ, Cedar refuses the pieces, and with them the file.
    """
    start = 0
    ends = [token.end() for token in _TOKEN.finditer(text) if token.group() == ";"]
    for end in [*ends, len(text)]:
        blank = _BLANK.match(text, start, end)
        first = blank.end() if blank else start
        if first < end:
            yield Statement(file, text.count("\n", 0, first) + 1, text[first:end])
        start = end


def examine(statement: Statement, schema: cedarpy.Schema) -> tuple[Policy | None, list[PolicyFault]]:
    """The policy in ``statement`` if it can be read, and everything that is wrong with it."""
    try:
        parsed = cedarpy.policies_to_pst(statement.text)
    except ValueError as error:
        return None, _cedar_faults(statement, [str(error)])
    if parsed.templates:
        return None, [statement.fault("this is a template", _NO_TEMPLATES)]
    nodes = tuple(parsed.static_policies.values())
    if len(nodes) != 1:  # pragma: no cover - no text is known of which Cedar reads more than we, or nothing
        return None, [
            statement.fault("this is not one policy", "put every policy into a statement of its own")
        ]
    errors = cedarpy.validate_policies(statement.text, schema).errors
    faults = [*_house_faults(statement, nodes[0]), *_cedar_faults(statement, (each.error for each in errors))]
    name = nodes[0].annotations.get("id", "")
    clauses = nodes[0].clauses
    folds = "paths" in nodes[0].annotations
    return Policy(name, nodes[0].effect, statement, mentioned(clauses), asked(clauses, "path"), folds), faults


def duplicates(policies: Iterable[Policy]) -> Iterator[PolicyFault]:
    """A fault for every policy that takes a name already taken."""
    first: dict[str, Policy] = {}
    for policy in policies:
        if not policy.id:
            continue
        taken = first.setdefault(policy.id, policy)
        if taken is not policy:
            what = f'@id("{policy.id}") is taken by {taken.place}'
            yield policy.statement.fault(what, "every policy needs a name of its own")


def capitals(policies: Iterable[Policy]) -> Iterator[PolicyFault]:
    """A fault for every policy that waits for a capital in a path, where policies see none."""
    for policy in policies:
        for text in (*policy.of_path.texts, *("*".join(pieces) for pieces in policy.of_path.patterns)):
            if text != text.casefold():
                what = f"`{text}` has a capital, and paths are shown to policies without any"
                yield policy.statement.fault(what, "write it in lower case")


def capitals_below(policies: Iterable[Policy], insensitive: Sequence[str]) -> Iterator[PolicyFault]:
    """The same where only some routes show paths so, by their prefixes; they need not be meant for these."""
    for fault in capitals(policies) if insensitive else ():
        what = f"{fault.what} below {' and '.join(insensitive)}"
        yield replace(fault, what=what, fix=f"{fault.fix}, unless it is for other paths alone")


def _house_faults(statement: Statement, node: pst.Template) -> Iterator[PolicyFault]:
    name = node.annotations.get("id", "")
    if not name:
        yield statement.fault("this policy has no @id", _NEEDS_ID)
    elif not _ID.fullmatch(name):
        yield statement.fault("this @id would not read well in logs and metrics", _NEEDS_ID)
    if node.annotations.get("paths", "insensitive") != "insensitive":
        yield statement.fault(
            "@paths can be nothing but insensitive", 'write @paths("insensitive"), or leave it out'
        )
    if node.effect == "permit" and isinstance(node.principal, pst.ScopeAny):
        yield statement.fault("this permit is for everybody, signed in or not", _NEEDS_PRINCIPAL)


def _cedar_faults(statement: Statement, complaints: Iterable[str]) -> list[PolicyFault]:
    return [statement.fault(what, fix, line=_line(statement, what)) for what, fix in explained(complaints)]


def _line(statement: Statement, complaint: str) -> int:
    """The line of the first thing in backquotes that the statement holds; its first line where that is not clear."""
    for quoted in re.findall(r"`([^`]+)`", complaint):
        at = statement.text.find(quoted)
        if at >= 0 and not ("unexpected" in complaint and quoted in statement.text[at + 1 :]):
            return statement.line + statement.text.count("\n", 0, at)
    return statement.line
