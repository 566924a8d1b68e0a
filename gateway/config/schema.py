"""The JSON schema of the configuration file, for editors that complete and check while one types."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from gateway.config.fields import Key, keys_of
from gateway.settings.kinds import REQUIRED
from gateway.settings.model import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12. A key that is not required may be blank, as in the file."""
    sections = sorted(set(_below(Settings)), key=_name)
    made = {"$schema": DIALECT, "title": "gateway.yaml", **_section(Settings)}
    made["$defs"] = {_name(kind): _section(kind) for kind in sections}
    del made["$defs"]["Logout"]["properties"]["chain"]["default"]  # the provider's kind implies it
    return made


def type_words(kind: Any) -> str:
    """The type of a key in a word or two, for the documentation."""
    return _words(_type(kind))


def _words(item: dict[str, Any]) -> str:
    if "enum" in item and "title" not in item:
        return " \\| ".join(f"`{choice}`" for choice in item["enum"])
    if item.get("type") == "array":
        return "list of sections" if "$ref" in item["items"] else f"list of {_words(item['items'])}"
    plain = {"object": "mapping", "boolean": "`true` \\| `false`"}
    return str(item.get("title") or plain[item["type"]])


def _below(kind: type) -> Iterator[type]:
    for key in keys_of(kind).values():
        if key.section is not None:
            yield key.section
            yield from _below(key.section)


def _name(kind: type) -> str:
    return kind.__name__.removesuffix("Section")


def _section(kind: type) -> dict[str, Any]:
    own = keys_of(kind)
    required = [name for name, key in own.items() if key.default is REQUIRED]
    return {
        "description": kind.__doc__,
        "type": "object",
        "properties": {name: _property(key) for name, key in own.items()},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _property(key: Key) -> dict[str, Any]:
    description = (
        {"description": key.description} if key.type.__doc__ != key.description else {}
    )  # else it stands there
    if key.default is REQUIRED:
        return {**_type(key.type), **description}
    default = {} if key.section is not None and key.default is not None else {"default": key.default}
    return {"anyOf": [_type(key.type), {"type": "null"}], **default, **description}


def _type(kind: Any) -> dict[str, Any]:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:  # `X | None`
        return _type(inner[0])
    if origin is None:  # a section
        return {"$ref": f"#/$defs/{_name(kind)}"}
    if origin is tuple:
        return {"type": "array", "items": _type(inner[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": {"type": _type(inner[1])["type"]}}
    if origin is Literal:
        return {"type": "string" if isinstance(inner[0], str) else "integer", "enum": list(inner)}
    return dict(inner[1].schema)
