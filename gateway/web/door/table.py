"""Which of our own endpoints a path is; everything under them is reserved (rule R37).

The table is asked with the raw path, so ``/%6Cogout`` is not ``/logout``; what is reserved is asked with the decoded
path, so it is no upstream's either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.core.http.facts import RequestFacts
from gateway.core.http.target import is_reserved
from gateway.web.messages import Answer, Request, Response
from gateway.web.pages.errors import refuse

Endpoint = Callable[[Request, RequestFacts], Answer]
Methods = Mapping[str, Endpoint]

_LOGOUT = "/logout"


class EndpointFinder(Protocol):
    """Which endpoint a request is for."""

    def find(self, facts: RequestFacts) -> Endpoint | None: ...

    def is_question(self, facts: RequestFacts) -> bool: ...


class EndpointTable:
    """Our own endpoints.

    :param exact: raw path -> method -> endpoint; a last segment ``*`` stands for any one segment.
    :param prefix: of the reserved tree, ``/oauth2``.
    :param below: path under which every path and method goes to one endpoint (forward-auth); None when closed.
    """

    def __init__(
        self, exact: Mapping[str, Methods], prefix: str, below: tuple[str, Endpoint] | None = None
    ) -> None:
        self._exact = {path: _with_head(methods) for path, methods in exact.items()}
        self._prefix = prefix
        self._roots = (prefix, "/log")
        """How everything that is reserved begins, for a look that costs next to nothing."""
        self._below = below
        self._under = f"{below[0]}/" if below is not None else ""

    def find(self, facts: RequestFacts) -> Endpoint | None:
        """The endpoint for this request; None when it is the gate's."""
        raw_path = facts.raw_path
        methods = self._exact.get(raw_path)
        if methods is None and raw_path.startswith(_LOGOUT):
            methods = self._exact.get(_any_last_segment(raw_path))
        if methods is not None:
            return methods.get(facts.method) or _wrong_method(methods)
        if self._below is not None and self.is_question(facts):
            return self._below[1]
        path = facts.path
        return _not_found if path.startswith(self._roots) and is_reserved(path, self._prefix) else None

    def is_question(self, facts: RequestFacts) -> bool:
        """Whether this is no request of a browser but a proxy's question about one (forward-auth)."""
        below, path = self._below, facts.path
        return below is not None and (path == below[0] or path.startswith(self._under))


def _with_head(methods: Methods) -> Methods:
    """HEAD works wherever GET does; what acts by GET has an endpoint of its own for it."""
    return {"GET": methods["GET"], "HEAD": methods["GET"], **methods} if "GET" in methods else methods


def _any_last_segment(raw_path: str) -> str:
    return raw_path[: raw_path.rfind("/") + 1] + "*"


def _not_found(_: Request, facts: RequestFacts) -> Response:
    return refuse(facts, "not_found")


def _wrong_method(methods: Methods) -> Endpoint:
    allowed = ", ".join(methods)

    def answer(_: Request, facts: RequestFacts) -> Response:
        return refuse(facts, "wrong_method", headers=(("Allow", allowed),))

    return answer
