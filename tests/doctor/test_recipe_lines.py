"""Each line that the doctor names stands in the recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.doctor.recipe_lines import LINES, named

RECIPES = Path(__file__).parents[2] / "deploy" / "forward-auth"
FILES = {
    "nginx": ("nginx.conf",), "caddy": ("Caddyfile",), "envoy": ("envoy.yaml",), "haproxy": ("haproxy.cfg", "haproxy.lua"),
    "traefik": ("traefik-routes.yaml",), "envoy-grpc": ("envoy-grpc.yaml",),
}  # fmt: skip


@pytest.mark.parametrize("caller", FILES)
def test_each_line_stands_in_its_recipe(caller: str) -> None:
    """Word for word, or nobody would find it."""
    text = "".join((RECIPES / name).read_text() for name in FILES[caller])
    lines = [line for purpose in LINES.values() for line in purpose.get(caller, ())]
    assert lines
    assert [line for line in lines if line not in text] == []


def test_what_no_recipe_has_is_said_otherwise() -> None:
    """Of several callers each has its own lines, once."""
    assert named(["method"], ["caddy"], "otherwise") == "otherwise"
    said = named(["method", "method", "target"], ["nginx", "haproxy", "nginx"], "otherwise")
    assert said.count("for nginx") == said.count("X-Original-Method") == 1
    assert "for haproxy" in said
