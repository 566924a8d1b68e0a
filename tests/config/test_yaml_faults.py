"""What is no YAML, in words."""

from __future__ import annotations

import pytest

from gateway.config.yaml_tree import read_tree


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "provider:\n\tkind: x\n",
            "2:1: `kind` has a tab, and YAML is indented with spaces only; replace it by spaces",
        ),
        (
            "provider:\n  kind: x\n issuer: y\n",
            "3:2: `issuer` begins in a column in which nothing above it does",
        ),
        (
            "provider:\n  kind: x\n    issuer: y\n",
            "3:11: `issuer` begins further right than the key above it",
        ),
        (
            "upstreams:\n  - path: /\n   url: x\n",
            "3:4: `url` begins in a column in which nothing above it does",
        ),
        ("provider: x\n# why\n  kind: y\n", "3:3: `kind` begins in a column in which nothing above it does"),
        (
            "  listen: x\nprefix: y\n",
            "2:1: `prefix` begins further left than the first key; begin all keys of one section",
        ),
        (
            "token:s3cret\nprefix: y\n",
            "2:7: `token` is not `key: value`; put a space behind its dash or colon",
        ),
        ("a: b\ntoken:s3cret\nprefix: y\n", "2:1: `token` is not `key: value`; put a space behind the colon"),
        (
            "upstreams:\n  -path: /s3cret\n   url: x\n",
            "3:7: `path` is not `key: value`; put a space behind its dash or colon",
        ),
        ("token: s3cret: y\n", "1:14: `token` has a second `: ` in its value; quote the value"),
        ('token: "s3cret\n', "1:8: `token` has a quote that is never closed; close it"),
        ("hosts: - a\n", "1:8: `hosts` has a list behind its colon"),
        (
            "token: @s3cret\n",
            "1:8: `token` begins with a character that means something in YAML; quote the value",
        ),
        ("hosts: *a\n", "1:8: `hosts` is an alias (`*name`)"),
        ('token: "\\q"\n', "1:10: `token` has a backslash in double quotes; write it in single quotes"),
        ("a: |x\n b\n", "1:5: is not YAML: expected chomping"),
        ("a: }\n", "1:4: `a` has a bracket that is not closed, or one too many"),
    ],
)
def test_what_is_no_yaml_is_said_in_words(text: str, said: str) -> None:
    """By the key that its line begins with, where that is; and never with a value, which may be a secret."""
    _, _, (finding,) = read_tree(text, "g.yaml")
    assert str(finding).startswith(f"g.yaml:{said}")
    assert "s3cret" not in str(finding)
