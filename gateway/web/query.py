"""Parameters of our own endpoints: each at most once, decoded once."""

from __future__ import annotations

from urllib.parse import parse_qsl

from gateway.core.errors import DownstreamError
from gateway.core.facts import RequestFacts
from gateway.core.target import local_path


def parameter(facts: RequestFacts, name: str) -> str | None:
    """The value of ``name``, None when it is not there.

    :raises DownstreamError: ``bad_parameter``: it came twice, or among too many others.
    """
    try:
        pairs = parse_qsl(facts.query or "", keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise DownstreamError(
            "bad_parameter", "This link has too many parameters.", mend="Send at most 50."
        ) from None
    found = [value for key, value in pairs if key == name]
    if len(found) > 1:
        raise DownstreamError("bad_parameter", f"The parameter {name} came twice.", mend="Send it once.")
    return found[0] if found else None


def way_back(facts: RequestFacts, public_url: str) -> str:
    """Where ``rd`` leads, as a local path; ``/`` when it is not given.

    A URL of this very origin is taken for its path, because recipes written for other proxies send one.

    :raises DownstreamError: ``bad_parameter``: it leads anywhere else (rule: never a URL from the request).
    """
    wanted = parameter(facts, "rd") or "/"
    wanted = wanted.removeprefix(public_url) if wanted.startswith(f"{public_url}/") else wanted
    path = local_path(wanted)
    if path is None:
        raise DownstreamError(
            "bad_parameter",
            "The address to return to (rd) is not a path of this site.",
            mend="Use a path that begins with a single slash.",
        )
    return path
