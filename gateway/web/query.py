"""Parameters of our own endpoints: each at most once, decoded once."""

from __future__ import annotations

from urllib.parse import parse_qsl

from gateway.core.errors import DownstreamError
from gateway.core.http import target
from gateway.core.http.facts import RequestFacts


def parameter(facts: RequestFacts, name: str) -> str | None:
    """The value of ``name``, None when it is not there.

    :raises DownstreamError: ``bad_parameter``: it came twice, or among too many others.
    """
    try:
        pairs = parse_qsl(facts.query or "", keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise DownstreamError(
            "bad_parameter", "This link has too many parameters.", fix="Send at most 50."
        ) from None
    found = [value for key, value in pairs if key == name]
    if len(found) > 1:
        raise DownstreamError("bad_parameter", f"The parameter {name} came twice.", fix="Send it once.")
    return found[0] if found else None


def way_back(facts: RequestFacts, public_url: str, prefix: str) -> str:
    """Where ``rd`` leads, as a path of the application; ``/`` when it is not given.

    A URL of this very origin is taken for its path, because recipes written for other proxies send one.

    :raises DownstreamError: ``bad_parameter``: it leads anywhere else, or to an endpoint of ours (`target.way_back`).
    """
    wanted = parameter(facts, "rd") or "/"
    wanted = wanted.removeprefix(public_url) if wanted.startswith(f"{public_url}/") else wanted
    path = target.way_back(wanted, prefix)
    if path is None:
        raise DownstreamError(
            "bad_parameter",
            "The address to return to (rd) is not a path of the application at this site.",
            fix="Use a path that begins with a single slash and is none of the gateway's own.",
        )
    return path
