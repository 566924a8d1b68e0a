"""Faults in policy files, each with its place, what is wrong and the fix; and the fixes for what Cedar reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class PolicyFault:
    """One thing to fix in a policy, schema or cases file.

    :ivar line: counted from 1; 0 when the fault is the file's as a whole.
    """

    file: str
    line: int
    what: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.what}; {self.fix}"


class PolicyFaultsError(ConfigurationError):
    """A policy set or its cases cannot be used; all faults at once, in the order of files and lines."""

    def __init__(self, faults: Sequence[PolicyFault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.file, fault.line)))
        super().__init__("policy_invalid", "\n".join(map(str, self.faults)), fix="fix the policy files")


_FORMULA = re.compile(r"^for policy `[^`]*`, | for Action::\"[^\"]*\"|: (?=unexpected type)")
_OPTIONAL = re.compile(
    r"unable to guarantee safety of access to optional attribute `(\w+)` (in context|on .*)"
)
_FIXES = (
    ("unrecognized action", "methods are upper case as in schema.cedarschema; HEAD is decided as GET"),
    ("unrecognized entity type", "the types are User, Group, Anonymous and Route"),
    (
        "on entity type `Anonymous` not found",
        "say `principal is User` in the scope: Anonymous has no attributes",
    ),
    ("in context", "context has host, path, client, auth_age and acr"),
    ("not found", "a User has user and email; Group, Anonymous and Route have no attributes"),
    ("applicable action", "the principal must be a User, in a Group or Anonymous, and the resource a Route"),
    ("IP address", 'write ip("10.0.0.0/8") or ip("2001:db8::1")'),
    ("invalid policy effect", "a policy is `permit (…)` or `forbid (…)`"),
    ("duplicate annotation", "keep one of them"),
    ("unexpected end of input", "end every policy with `;` and close every bracket"),
    ("unexpected token `/`", "Cedar comments begin with //"),
    ("unexpected token `@`", "end the policy before it with `;`"),
    ("unexpected token `permit`", "end the policy before it with `;`"),
    ("unexpected token `forbid`", "end the policy before it with `;`"),
    ("unexpected token", "fix the syntax near it"),
    ("invalid token", 'close every string; Cedar strings are in double quotes ("…")'),
    ("where the variable", "the scope is (principal, action, resource), in this order"),
    ("invalid variable", "the scope is (principal, action, resource), in this order"),
)


def explained(complaints: Iterable[str]) -> list[tuple[str, str]]:
    """What Cedar's parser or validator said, each thing once, with its fix.

    The validator repeats itself for every action, in no order, and ends on a consequence where it knows the cause.
    """
    distinct = sorted({_FORMULA.sub("", complaint) for complaint in complaints})
    causes = [complaint for complaint in distinct if "applicable action" not in complaint]
    return [_explained(complaint) for complaint in causes or distinct]


def _explained(complaint: str) -> tuple[str, str]:
    optional = _OPTIONAL.match(complaint)
    if optional:
        name, place = optional.groups()
        owner = "context" if place == "in context" else "principal"
        what = f"`{name}` may be absent from {owner}"
        return what, f"ask first, `{owner} has {name} && …`, and mind what its absence shall mean"
    for part, fix in _FIXES:
        if part in complaint:
            return complaint, fix
    return complaint, "compare with schema.cedarschema and the Cedar language reference"
