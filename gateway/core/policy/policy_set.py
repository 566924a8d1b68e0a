"""Who may do what: a Cedar policy set, parsed once and asked for every request (design section 9).

The answer is no unless Cedar says Allow and nothing went wrong on the way. Cedar skips a policy whose evaluation
fails, a ``forbid`` too, and may then say Allow; here such an answer is a deny with an error (rule R9).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cedarpy

from gateway.core.http.addresses import UNKNOWN
from gateway.core.memo import Kept, weight
from gateway.core.policy.faults import PolicyFault, PolicyFaultsError
from gateway.core.policy.schema import METHODS, auth_age, cedar_context, cedar_request, entities_json
from gateway.core.policy.statements import Policy, capitals, duplicates, examine, statements
from gateway.core.policy.view import View
from gateway.core.session.session import Principal

DENIED = "denied"
UNKNOWN_METHOD = "unknown_method"
POLICY_ERROR = "policy_error"

MEMO_SIZE = 4_096
MEMO_BYTES = 24 * 1024 * 1024
"""Decisions remembered by one policy set, and bytes that they may take."""
PRINCIPALS, PRINCIPALS_BYTES = 512, 8 * 1024 * 1024
"""Principals whose entities are kept parsed."""
MEMO_PATH = 512
"""Characters. A longer path is not kept, so that nobody can fill the memory with long ones; a decision by what the
policies see of a path is remembered however long the path, for none of it is kept."""


@dataclass(frozen=True, slots=True)
class PolicyVerdict:
    """What the policy set says to one request.

    :ivar policies: the ``@id`` of every policy that determined it, in the order of the files; none for a deny means
        that nothing permits the request.
    :ivar code: empty when allowed; ``denied``; ``unknown_method`` (405); ``policy_error`` (an internal error, 500).
    :ivar error: what went wrong, for the log.
    """

    allowed: bool
    policies: tuple[str, ...] = ()
    code: str = ""
    error: str = ""


_ANYBODY = "::"
"""Stands for a client that is not known, where no policy asks who it is: the schema wants an address."""
_UNKNOWN_METHOD = PolicyVerdict(allowed=False, code=UNKNOWN_METHOD)
_Identity = tuple[str, str | None, tuple[str, ...]] | None
"""All of a principal that is in its entities; None is Anonymous."""


def read_schema(text: str) -> cedarpy.Schema:
    """What policies are checked against.

    :raises ValueError: it is none.
    """
    return cedarpy.Schema.from_str(text)


class PolicySet:
    """Policies ready to decide. Made by :meth:`parse`; never changed: a reload makes another one, with its own memo.

    :ivar version: changes whenever a policy or the schema does.
    :ivar mentions: the attributes of ``context`` on which a decision can depend.
    """

    def __init__(
        self, policies: Sequence[Policy], schema: cedarpy.Schema, version: str, *, memo_size: int = MEMO_SIZE
    ) -> None:
        self.policies = tuple(policies)
        self.version = version
        self.mentions = frozenset().union(*(policy.mentions for policy in policies))
        self.schema = schema
        self._cedar = cedarpy.PolicySet.from_str("\n".join(policy.statement.text for policy in policies))
        self._order = {policy.id: place for place, policy in enumerate(policies)}
        self._by_host, self._by_path, self._by_client, self._by_age, self._by_acr = (
            name in self.mentions for name in ("host", "path", "client", "auth_age", "acr")
        )
        self._folds = any(policy.folds for policy in policies)
        self._path = View(policy.of_path for policy in policies)
        self._memo: Kept[tuple[object, ...], PolicyVerdict] = Kept(entries=memo_size, size=MEMO_BYTES)
        self._entities: Kept[_Identity, cedarpy.Entities] = Kept(
            entries=PRINCIPALS, size=PRINCIPALS_BYTES, weigh=_weight_entities
        )

    @classmethod
    def parse(
        cls,
        files: Mapping[str, str],
        schema: str,
        *,
        schema_file: str = "schema.cedarschema",
        memo_size: int = MEMO_SIZE,
    ) -> PolicySet:
        """The policy set in ``files``, a mapping of file name to Cedar text.

        :raises PolicyFaultsError: with every fault there is.
        """
        try:
            parsed_schema = read_schema(schema)
        except ValueError as error:
            fault = PolicyFault(schema_file, 0, str(error), "restore the schema that came with the gateway")
            raise PolicyFaultsError([fault]) from error
        examined = [
            examine(statement, parsed_schema)
            for file, text in sorted(files.items())
            for statement in statements(file, text)
        ]
        policies = [policy for policy, _ in examined if policy]
        faults = [fault for _, found in examined for fault in found]
        faults += duplicates(policies)
        if any(policy.folds for policy in policies):
            faults += capitals(policies)
        if not examined:
            what = "there is no policy, so every request would be denied"
            faults.append(
                PolicyFault(", ".join(sorted(files)) or "policies", 0, what, "write at least one permit")
            )
        if faults:
            raise PolicyFaultsError(faults)
        return cls(policies, parsed_schema, _version(policies, schema), memo_size=memo_size)

    def find(self, policy_id: str) -> Policy:
        """The policy called ``policy_id``.

        :raises KeyError: there is none.
        """
        return self.policies[self._order[policy_id]]

    def decide(
        self,
        *,
        principal: Principal | None,
        method: str,
        route: str,
        host: str,
        path: str,
        client: str,
        now: int,
        generation: int = 0,
    ) -> PolicyVerdict:
        """The verdict on one request, remembered from last time where nothing it depends on has changed (rule R25).

        :param principal: None is Anonymous.
        :param method: as received; compared exactly.
        :param route: path prefix of the upstream route.
        :param host: as in the Host header.
        :param path: percent-decoded once.
        :param client: address of the client, or `UNKNOWN`, of whom a policy that asks for it gets no answer: an error.
        :param now: seconds. :param generation: the session's.
        """
        if method == "HEAD":
            method = "GET"
        elif method not in METHODS:
            return _UNKNOWN_METHOD
        if self._folds:
            path = path.casefold()
        seen = self._path.seen(path) if self._by_path else None
        key = (
            _identity(principal),
            generation,
            method,
            route,
            host if self._by_host else None,
            seen,
            client if self._by_client else None,
            auth_age(principal, now) if self._by_age and principal is not None else None,
            principal.acr if self._by_acr and principal is not None else None,
        )
        verdict = self._memo[key]
        if verdict is not None:
            return verdict
        if client == UNKNOWN and not self._by_client:
            client = _ANYBODY
        verdict = self._ask(principal, method, route, host=host, path=path, client=client, now=now)
        if verdict.code != POLICY_ERROR and not (isinstance(seen, str) and len(seen) > MEMO_PATH):
            self._memo.keep(key, verdict)
        return verdict

    def _ask(
        self,
        principal: Principal | None,
        method: str,
        route: str,
        *,
        host: str,
        path: str,
        client: str,
        now: int,
    ) -> PolicyVerdict:
        """Cedar's answer. Nothing but an Allow without any error becomes one of ours."""
        try:
            context = cedar_context(principal, host, path, client, now)
            entities = self._entities_of(principal)
            request = cedar_request(principal, method, route, context)
            answer = cedarpy.is_authorized(request, self._cedar, entities, self.schema)
            return self._verdict(answer)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  a panic in Cedar is no Exception, and no pass either
            return PolicyVerdict(allowed=False, code=POLICY_ERROR, error=f"{type(error).__name__}: {error}")

    def _entities_of(self, principal: Principal | None) -> cedarpy.Entities:
        identity = _identity(principal)
        known = self._entities[identity]
        if known is not None:
            return known
        parsed = cedarpy.Entities.from_json_str(entities_json(principal), self.schema)
        self._entities.keep(identity, parsed)
        return parsed

    def _verdict(self, answer: cedarpy.AuthzResult) -> PolicyVerdict:
        if answer.diagnostics.errors or answer.decision is cedarpy.Decision.NoDecision:
            errors = "; ".join(answer.diagnostics.errors) or "Cedar gave no decision"
            return PolicyVerdict(allowed=False, code=POLICY_ERROR, error=errors)
        names = answer.diagnostics.id_annotations_by_reason.values()
        determining = tuple(sorted(names, key=self._order.__getitem__))
        if answer.decision is cedarpy.Decision.Allow:
            return PolicyVerdict(allowed=True, policies=determining)
        return PolicyVerdict(allowed=False, policies=determining, code=DENIED)


def _identity(principal: Principal | None) -> _Identity:
    return None if principal is None else (principal.user, principal.email, principal.groups)


def _weight_entities(identity: _Identity, _: object) -> int:
    """Cedar's entities are out of Python's sight. As the resident memory of many shows, they take 10.5 KB, 300 bytes
    for each group, and each text less than twice.
    """
    if identity is None:
        return 12_288
    texts = (identity[0], identity[1] or "", *identity[2])
    return weight(identity) + 12_288 + 512 * len(identity[2]) + 2 * sum(map(len, texts))


def _version(policies: Sequence[Policy], schema: str) -> str:
    digest = hashlib.sha256(schema.encode())
    for policy in policies:
        digest.update(b"\0" + policy.statement.text.encode())
    return digest.hexdigest()[:12]
