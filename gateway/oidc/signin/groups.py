"""The names of somebody's groups in a claim, in the shape that the operator says it has.

Providers that cannot put a list into an attribute put one into a text, each in its way: Cognito makes
``[admins, staff]`` of a SAML attribute with two values, and ``admins`` of one with one. A list is read in every shape.
"""

from __future__ import annotations

import json

from gateway.oidc.wire import has_control

ONLY_TEXTS = "custom:"
"""Begins claims that can be no list: Cognito's own attributes."""
SHAPES = ("list", "json", "comma", "brackets")
"""``list``: a text is one name, commas and all. ``json``: a list in JSON. ``comma``: names between commas.
``brackets``: names between commas and brackets, or one name."""


def names_in(value: object, shape: str = "", *, is_text: bool = False) -> tuple[str, ...] | None:
    """The names in ``value``, each once; None where they cannot be read so.

    To drop one could drop the group that forbids.

    :param shape: one of `SHAPES`. Without it brackets are taken for a list, and a comma without them is part of a name.
    :param is_text: the claim can be nothing but a text; so commas, too, are taken for a list, unless they are in the
        name of an entry in a directory (``cn=admins,ou=groups``).
    """
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        bare = is_text and not shape and "=" not in value and not value.lstrip().startswith("[")
        members = _split(value, "comma" if bare else shape)
    else:
        members = value
    if not isinstance(members, list):
        return None
    names = [each for each in members if isinstance(each, str) and each and not has_control(each)]
    return tuple(dict.fromkeys(names)) if len(names) == len(members) else None


def _split(text: str, shape: str) -> object:
    if shape == "json":
        return _read(text)
    inner = text.strip()
    if shape == "comma":
        return _between_commas(inner)
    if shape == "list" or not (inner.startswith("[") and inner.endswith("]")):
        return [text]
    read = _read(inner)
    texts = isinstance(read, list) and all(isinstance(each, str) for each in read)
    return read if texts else _between_commas(inner[1:-1])


def _read(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _between_commas(text: str) -> list[str]:
    return [name for name in (each.strip(" \t") for each in text.split(",")) if name]
