"""Nothing but its own descriptor asks for a provider or a hop by its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.oidc.providers.registry import HOPS, PROVIDERS

ROOT = Path(__file__).parents[2] / "gateway"
NAMES = {*HOPS, *PROVIDERS}
KEYS_TOO = {"url"}
"""Names that are also those of keys: what is compared with one is a question, what stands alone is a key."""


def asked(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name wherever one of them is more than a part of a sentence."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in NAMES - KEYS_TOO:
            yield node.lineno, node.value
        parts: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        for part in parts:
            for inner in ast.walk(part):
                if isinstance(inner, ast.Constant) and inner.value in KEYS_TOO:
                    yield inner.lineno, inner.value


def test_no_module_but_a_descriptor_has_the_name_of_a_kind() -> None:
    """To compare with, to look up, to list: what differs stands in the descriptor, and is asked of it."""
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.relative_to(ROOT).parts[0] != "demo" and "oidc/providers" not in path.as_posix()
        for line, name in asked(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        'kind == "cognito"',
        'kind in {"okta", x}',
        'match kind:\n    case "entra":\n        pass',
        'match kind:\n    case "url":\n        pass',
        'LABELS = {"google": 1}',
        'PROVIDERS["auth0"]',
        'hop.kind != "url"',
        'hop.kind not in ("url",)',
    ],
)
def test_every_way_to_ask_is_seen(code: str) -> None:
    assert list(asked(ast.parse(code)))


def test_a_sentence_may_name_a_provider() -> None:
    assert not list(asked(ast.parse('fix = "put cognito first"; key = "url"')))
