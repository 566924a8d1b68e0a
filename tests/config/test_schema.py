"""The JSON schema that editors complete from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.config.fields import keys
from gateway.config.schema import DIALECT, schema, type_words
from gateway.settings.kinds import REQUIRED


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


DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"
SAYABLE = (
    "trusted_proxies forward_auth allowed_origins tls probes admin headers limits browser"
    " logout.targets logout.receipt_key_file provider.ca_file"
)


@pytest.mark.parametrize("dotted", SAYABLE.split())
def test_r11_the_configuration_can_say_all_of_it(dotted):
    """Each key that a rule relies on is in the schema and in the documentation, with all that is below it."""
    modelled = [key for key in keys() if f"{key.dotted}.".startswith(f"{dotted}.")]
    document = DOCUMENT.read_text(encoding="utf-8")

    assert modelled
    for key in modelled:
        assert _property(key.path)
        assert f"`{key.dotted}`" in document


def test_it_is_a_json_document_of_its_dialect():
    """JSON Schema 2020-12, closed to unknown keys at every level."""
    made = schema()

    assert made["$schema"] == DIALECT
    assert json.loads(json.dumps(made)) == made
    assert all(each["additionalProperties"] is False for each in (made, *made["$defs"].values()))


def test_every_key_is_in_it_with_its_sentence():
    """Editors show the same words as the documentation."""
    for key in keys():
        assert _property(key.path)["description"] == key.description, key.dotted


def test_optional_keys_may_be_blank_and_required_ones_not():
    """`ca_file:` is valid in the file, so it is in the schema."""
    for key in keys():
        blank = {"type": "null"} in _property(key.path).get("anyOf", ())
        assert blank is not (key.default is REQUIRED), key.dotted


def test_values_are_constrained():
    """Choices and patterns, so that editors mark a slip while one types."""
    assert _property(("log", "level"))["anyOf"][0]["enum"] == ["debug", "info", "warning", "error"]
    assert _property(("session", "idle"))["anyOf"][0]["pattern"] == r"^\d+(ms|s|m|h|d)$"
    assert _property(("provider", "kind"))["enum"][:3] == ["cognito", "okta", "oidc"]


def test_types_have_words():
    """The documentation's column of types."""
    words = {key.dotted: type_words(key.type) for key in keys()}

    assert words["session.idle"] == "duration"
    assert words["trusted_proxies"] == "list of CIDR"
    assert words["upstreams"] == "list of sections"
    assert words["headers.claims"] == "mapping"
    assert words["state_loss"] == r"`refuse` \| `accept`"
    assert words["admin.token"] == "secret"
