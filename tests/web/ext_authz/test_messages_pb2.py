"""The generated code is that of the .proto beside it, and fits the protobuf that is installed."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from gateway.web.ext_authz import messages_pb2

HERE = Path(messages_pb2.__file__).parent
PROTO = (HERE / "messages.proto").read_text()
_MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s+(?:repeated )?(\w+) (\w+) = (\d+);", re.MULTILINE)


def test_the_generated_code_has_every_field_of_the_proto_under_its_number() -> None:
    """And nothing else; whoever changes the one has to make the other anew."""
    written = {
        message: {name: int(number) for _, name, number in _FIELD.findall(body)}
        for message, body in _MESSAGE.findall(PROTO)
    }
    made = {
        name: {field.name: field.number for field in described.fields}
        for name, described in messages_pb2.DESCRIPTOR.message_types_by_name.items()
    }
    assert written == made
    assert "CheckRequest" in made


@pytest.mark.parametrize(
    ("message", "numbers"),
    [
        ("CheckRequest", {"attributes": 1}),
        ("Attributes", {"request": 4}),
        ("RequestAttributes", {"http": 2}),
        ("HttpRequest", {"method": 2, "headers": 3, "path": 4, "host": 5, "header_map": 13}),
        ("Header", {"key": 1, "value": 2, "raw_value": 3}),
        ("HeaderOption", {"header": 1, "append": 2, "append_action": 3}),
        ("CheckResponse", {"status": 1, "denied_response": 2, "ok_response": 3}),
        ("DeniedHttpResponse", {"status": 1, "headers": 2, "body": 3}),
        ("OkHttpResponse", {"headers": 2, "headers_to_remove": 5, "response_headers_to_add": 6}),
        ("HealthCheckRequest", {"service": 1}),
        ("HealthCheckResponse", {"status": 1}),
    ],
)
def test_the_numbers_are_those_of_envoy_and_grpc(message: str, numbers: dict[str, int]) -> None:
    """On the wire a field is its number (external_auth.proto, attribute_context.proto, base.proto, health.proto)."""
    described = messages_pb2.DESCRIPTOR.message_types_by_name[message]
    assert {field.name: field.number for field in described.fields} == numbers


def test_the_generated_code_belongs_to_the_major_version_that_is_installed() -> None:
    """Protobuf refuses code of another one at import."""
    made_for = re.search(r"# Protobuf Python Version: (\d+)\.", (HERE / "messages_pb2.py").read_text())
    assert made_for is not None
    assert made_for[1] == version("protobuf").partition(".")[0]
