"""The JSON schema of the configuration file, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from gateway.config.model import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Generator(GenerateJsonSchema):
    """pydantic's, without the titles it makes of attribute names: ours say what a value is."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12. A key that is not required may be blank, as in the file."""
    made = Settings.model_json_schema(schema_generator=_Generator)
    for definition in (made, *made.get("$defs", {}).values()):
        definition.pop("title", None)
        required = set(definition.get("required", ()))
        for name, item in definition["properties"].items():
            if name not in required:
                definition["properties"][name] = _or_blank(item)
    del made["$defs"]["LogoutSection"]["properties"]["chain"]["default"]  # the provider's kind implies it
    made["$defs"] = dict(sorted(made["$defs"].items()))
    return {"$schema": DIALECT, "title": "gateway.yaml", **made}


def type_words(info: FieldInfo) -> str:
    """The type of a key in a word or two, for the documentation."""
    return _words(TypeAdapter(info.rebuild_annotation()).json_schema(schema_generator=_Generator))


def _words(item: dict[str, Any]) -> str:
    choices = [choice for choice in item.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        return _words(choices[0])
    if "enum" in item and "title" not in item:
        return " \\| ".join(f"`{choice}`" for choice in item["enum"])
    if item.get("type") == "array":
        inner = item["items"]
        return "list of sections" if "$ref" in inner else f"list of {_words(inner)}"
    plain = {"object": "mapping", "boolean": "`true` \\| `false`"}
    return str(item.get("title") or plain.get(item.get("type", ""), item.get("type", "value")))


def _or_blank(item: dict[str, Any]) -> dict[str, Any]:
    outer = {name: value for name, value in item.items() if name in {"description", "default"}}
    inner = {name: value for name, value in item.items() if name not in outer}
    choices = inner.pop("anyOf", None) or [inner]
    if {"type": "null"} in choices:
        return item
    return {"anyOf": [*choices, {"type": "null"}], **outer}
