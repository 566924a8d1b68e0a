"""The JSON schema that editors complete from."""

from __future__ import annotations

import json

from gateway.config.fields import keys
from gateway.config.schema import DIALECT, schema, type_words


def _property(path):
    made = schema()
    node = made
    for part in path:
        node = node["items"] if part == "[]" else node["properties"][part]
        for choice in (node, *node.get("anyOf", ())):
            if "$ref" in choice:
                node = {**node, **made["$defs"][choice["$ref"].rpartition("/")[2]]}
            elif choice is not node and choice.get("type") == "array":
                node = {**node, **choice}
    return node


def test_it_is_a_json_document_of_its_dialect():
    """JSON Schema 2020-12, closed to unknown keys at every level."""
    made = schema()

    assert made["$schema"] == DIALECT
    assert json.loads(json.dumps(made)) == made
    assert all(each["additionalProperties"] is False for each in (made, *made["$defs"].values()))


def test_every_key_is_in_it_with_its_sentence():
    """Editors show the same words as the documentation."""
    for key in keys():
        assert _property(key.path)["description"] == key.field.description, key.dotted


def test_optional_keys_may_be_blank_and_required_ones_not():
    """`ca_file:` is valid in the file, so it is in the schema."""
    for key in keys():
        blank = {"type": "null"} in _property(key.path).get("anyOf", ())
        assert blank is not key.field.is_required(), key.dotted


def test_values_are_constrained():
    """Choices and patterns, so that editors mark a slip while one types."""
    assert _property(("log", "level"))["anyOf"][0]["enum"] == ["debug", "info", "warning", "error"]
    assert _property(("session", "idle"))["anyOf"][0]["pattern"] == r"^\d+(ms|s|m|h|d)$"
    assert _property(("provider", "kind"))["enum"][:3] == ["cognito", "okta", "oidc"]


def test_types_have_words():
    """The documentation's column of types."""
    words = {key.dotted: type_words(key.field) for key in keys()}

    assert words["session.idle"] == "duration"
    assert words["trusted_proxies"] == "list of CIDR"
    assert words["upstreams"] == "list of sections"
    assert words["headers.claims"] == "mapping"
    assert words["state_loss"] == r"`refuse` \| `accept`"
    assert words["admin.token"] == "secret"
