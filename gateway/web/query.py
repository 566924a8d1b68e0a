"""Parameters of our own endpoints: each at most once, decoded once."""

from __future__ import annotations

from urllib.parse import parse_qsl

from gateway.core.errors import DownstreamError
from gateway.core.http import target
from gateway.core.http.facts import RequestFacts

MOST = 50


def parameter(facts: RequestFacts, name: str) -> str | None:
    """The value of ``name``, None when it is not there.

    :raises DownstreamError: ``bad_parameter``: it came twice, or among too many others.
    """
    try:
        pairs = parse_qsl(facts.query or "", keep_blank_values=True, max_num_fields=MOST)
    except ValueError:
        raise DownstreamError("bad_parameter", "too_many", most=MOST) from None
    found = [value for key, value in pairs if key == name]
    if len(found) > 1:
        raise DownstreamError("bad_parameter", "twice", name=name)
    return found[0] if found else None


def way_back(facts: RequestFacts, public_url: str, prefix: str) -> str:
    """Where ``rd`` leads, as a path of the application; ``/`` when it is not given.

    A URL of this very origin is taken for its path, because recipes written for other proxies send one. With ``tab``
    it is where a script of ours has seen a tab, which is no request for anything: what it may not be becomes ``/``.

    :raises DownstreamError: ``bad_parameter``: it leads anywhere else, or to an endpoint of ours (`target.way_back`).
    """
    wanted = parameter(facts, "rd") or "/"
    wanted = wanted.removeprefix(public_url) if wanted.startswith(f"{public_url}/") else wanted
    path = target.way_back(wanted, prefix)
    if path is None and parameter(facts, "tab") is None:
        raise DownstreamError("bad_parameter", "way_back")
    return path or "/"
