"""What each proxy sends, takes for a yes and hands on: stated once, held to the real proxies by the tests.

``python -m tests.flows.contracts`` writes the table in docs/forward-auth.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.core.http.forwarded import RELAYING
from tests.marked import with_part

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "forward-auth.md"

_THREE = "`X-Forwarded-Method`, `-Host`, `-Uri`"


class Contract(NamedTuple):
    """One caller's side.

    :ivar asks_with: the method of the question to a POST; its body never comes along.
    :ivar says: where method, host and target are.
    :ivar yes: statuses among 200, 202 and 204 that let a request pass.
    :ivar redirect, unauthorized: status at the browser when the gateway answers 302, or 401 to a program.
    :ivar down: status at the browser when the gateway does not answer.
    :ivar cookie_on_yes, cookie_on_no: whether a Set-Cookie of the gateway's reaches the browser.
    :ivar looks_into_answers: the application's own cookies called like ours are kept from the browser.
    """

    name: str
    recipe: tuple[str, ...]
    tried_with: str
    asks_by: str
    asks_with: str
    says: str
    yes: tuple[int, ...]
    redirect: int = 302
    unauthorized: int = 401
    down: int = 502
    cookie_on_yes: bool = False
    cookie_on_no: bool = True
    looks_into_answers: bool = True


CONTRACTS: Mapping[str, Contract] = {
    "nginx": Contract(
        "nginx", ("nginx.conf",), "Debian's nginx 1.22", "`auth_request`", "GET", "`X-Original-Method`, `X-Original-URL`",
        (200, 202, 204), redirect=500, down=500, cookie_on_no=False,
    ),
    "caddy": Contract("Caddy", ("Caddyfile",), "Caddy 2.11", "`forward_auth`", "GET", _THREE, (200, 202, 204)),
    "envoy": Contract(
        "Envoy", ("envoy.yaml",), "Envoy 1.40", "`ext_authz` over HTTP", "POST",
        "the question's own method, host and target, below `/oauth2/auth`", (200,), down=503,
    ),
    "haproxy": Contract(
        "HAProxy", ("haproxy.cfg", "haproxy.lua"), "Debian's HAProxy 2.6", "its own HTTP client, in Lua", "GET", _THREE,
        (200,), down=503,
    ),
    "traefik": Contract(
        "Traefik", ("traefik.yaml", "traefik-routes.yaml"), "Traefik 3.7", "`forwardAuth`", "GET", _THREE,
        (200, 202, 204), down=500, cookie_on_yes=True, looks_into_answers=False,
    ),
}  # fmt: skip
GRPC = Contract(
    "Envoy", ("envoy-grpc.yaml",), "Envoy 1.40", "`ext_authz` over gRPC", "Check", "the fields of `CheckRequest`", (200,),
    down=503, cookie_on_yes=True,
)  # fmt: skip
"""Envoy's other way to ask, which the tests of all callers hold to it: an authorizer of HTTP cannot."""


def table() -> str:
    """The callers, a line each."""
    heads = (
        "caller", "recipe", "asks by", "with", "method, host and target", "a yes is", "a refusal at the browser",
        "Set-Cookie of a yes, of a refusal", "gateway down", "tried with",
    )  # fmt: skip
    rows = [*CONTRACTS.items(), ("envoy", GRPC)]
    lines = [heads, ["---"] * len(heads), *(_cells(caller, contract) for caller, contract in rows)]
    return "\n".join(map(_line, lines))


def _cells(caller: str, contract: Contract) -> list[str]:
    return [
        f"[{contract.name}](forward-auth/{caller}.md)",
        ", ".join(f"[{name}](../deploy/forward-auth/{name})" for name in contract.recipe),
        contract.asks_by,
        "the request's method" if contract.asks_with == "POST" else contract.asks_with,
        contract.says,
        "any 2xx" if 204 in contract.yes else "`OK`" if contract is GRPC else "200 alone",
        "as the gateway wrote it" if caller in RELAYING else f"as {contract.name} writes it; a 302 becomes {contract.redirect}",
        f"{_reaches(contract.cookie_on_yes)}, {_reaches(contract.cookie_on_no)}",
        str(contract.down),
        contract.tried_with,
    ]  # fmt: skip


def _reaches(does: bool) -> str:
    return "reaches it" if does else "lost"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(with_part(PAGE.read_text("utf-8"), "callers", table()), "utf-8")
