"""The environment: every key as ``GATEWAY_…``, sections joined by ``__``, lists and mappings as one JSON value.

An environment variable wins over the file. A name that is none of ours is a finding, and every value knows
which variable it came from.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable, Mapping
from functools import cache

from gateway.config.fields import Key, keys
from gateway.config.findings import Finding, Place, Places
from gateway.config.yaml_tree import Value

PREFIX = "GATEWAY_"
_SERVICE_LINKS = re.compile(r"GATEWAY_(SERVICE_.*|PORT.*)")
"""What Kubernetes sets in every pod beside a Service that is named ``gateway``."""
_OTHER_SERVICE_LINKS = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_(TCP|UDP|SCTP).*)?)")

_USUAL: Mapping[str, Callable[[str], Value]] = {
    "HTTPS_PROXY": str,
    "NO_PROXY": lambda text: list(filter(None, re.split(r"[\s,]+", text))),
}


class _RepeatedKeyError(ValueError):
    """A JSON object has a key twice."""


@cache
def names() -> Mapping[str, Key]:
    """The variable of each key that can have one."""
    return {variable(key): key for key in keys() if "[]" not in key.path}


def variable(key: Key) -> str:
    """The name of a key's environment variable."""
    return PREFIX + "__".join(part.upper() for part in key.path)


def overlay(values: dict[str, Value], environ: Mapping[str, str], places: Places) -> list[Finding]:
    """Put the environment's values over the file's, in ``values`` and ``places``; what is wrong with it is returned."""
    findings = []
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or _SERVICE_LINKS.fullmatch(name):
            continue
        key = names().get(name)
        if key is None:
            findings.append(_unknown(name))
            continue
        try:
            value = _value(key, text)
        except ValueError as error:
            findings.append(_not_json(name, error))
            continue
        if value is not None and _put(values, key.path, value):
            places.in_environment(key.path, name)
    # The process's own, also for callers that give no more than keys: it is said to programs, not to this file.
    _usual_proxy(values, {**os.environ, **environ}, places)
    return findings


def _usual_proxy(values: dict[str, Value], environ: Mapping[str, str], places: Places) -> None:
    """What the environment says to all programs of a proxy, where no key says more."""
    if not isinstance(provider := values.get("provider"), dict):
        return
    for name, read in _USUAL.items():
        # In small letters first, as curl and others do.
        found = next((each for each in (name.lower(), name) if environ.get(each)), None)
        key = name.lower().removeprefix("https_")
        if found is not None and provider.get(key) is None:
            provider[key] = read(environ[found])
            places.in_environment(("provider", key), found)


def _value(key: Key, text: str) -> Value:
    if not text:
        return None
    if not key.is_structured:
        return text
    return _plain(json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=_once))


def _once(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RepeatedKeyError
    return found


def _plain(value: object) -> Value:
    """JSON's true and false as the text they are in YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return None if value is None else str(value)


def _put(values: dict[str, Value], path: tuple[str, ...], value: Value) -> bool:
    """Set the value; not where the file has something else than a section, which is a finding of its own."""
    for part in path[:-1]:
        if values.get(part) is None:
            values[part] = {}
        below = values[part]
        if not isinstance(below, dict):
            return False
        values = below
    values[path[-1]] = value
    return True


def _not_json(name: str, error: ValueError) -> Finding:
    what = "is not JSON"
    if isinstance(error, _RepeatedKeyError):
        what = "has a key twice"
    elif isinstance(error, json.JSONDecodeError):
        what = f"is not JSON (at character {error.pos + 1})"
    return Finding(Place(env=name), "", what, 'write one JSON value, such as ["a", "b"] or {"name": "value"}')


def _unknown(name: str) -> Finding:
    near = difflib.get_close_matches(name, names(), n=1, cutoff=0.7)
    section = [known for known in names() if known.startswith(f"{name}__")]
    if section:
        fix = f"set its parts, such as {section[0]}"
    elif _OTHER_SERVICE_LINKS.fullmatch(name):
        fix = "remove it; if Kubernetes set it for a Service, write `enableServiceLinks: false` in the pod"
    elif near:
        fix = f"did you mean {near[0]}?"
    else:
        fix = "remove it; docs/configuration.md lists every name"
    return Finding(Place(env=name), "", "names no key", fix)
