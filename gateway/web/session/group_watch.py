"""Says once in the log what a wrong claim for groups looks like: nobody has one, or one stands for several."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.oidc.wire import printable
from gateway.telemetry.log import get_logger

_log = get_logger("sign-in")


class GroupWatch:
    """Looks at sign-ins.

    :param claim: where groups come from. :param wanted: the configuration or a policy asks for them.
    """

    def __init__(self, claim: str, *, wanted: bool) -> None:
        self._claim = claim
        self._without = wanted
        self._in_one = True

    def look(self, claims: Mapping[str, object], groups: tuple[str, ...]) -> None:
        """One more person has signed in.

        :param claims: of the ID token; their names are logged, and no value.
        """
        if not groups and self._without:
            _log.warning(
                "nobody_has_groups",
                claim=self._claim,
                there=self._claim in claims,
                names=printable(" ".join(sorted(claims)), 1_000),
                fix="name the claim with the groups in headers.groups, and have the provider send it",
            )
        self._without = False
        if self._in_one and len(groups) == 1 and ("," in groups[0] or groups[0].startswith("[")):
            self._in_one = False
            _log.warning(
                "groups_in_one_name",
                claim=self._claim,
                fix="if they are several, say so in headers.groups: {claim: …, shape: json, comma or brackets}",
            )
