"""The pages of the proxies: their configuration is one that the gateway takes, and their recipes are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.config import examine
from gateway.core.http.forwarded import TAKING_COOKIES
from gateway.demo import configuration
from gateway.demo.options import DemoOptions
from tests.fakes.pieces import put
from tests.fakes.ports import on_free_ports
from tests.flows.contracts import CONTRACTS

FOLDER = Path(__file__).parents[2] / "docs" / "forward-auth"
PAGES = sorted(page.stem for page in FOLDER.glob("*.md"))
APP = "http://app.localhost:8080"
"""Stands for `app.example.com`, because the rest of the configuration is that of a trial."""
_BLOCK = re.compile(r" {3}```yaml\n(.*?) {3}```", re.DOTALL)


def test_each_proxy_has_a_page() -> None:
    """And each page a proxy, but for the one about Kubernetes."""
    assert sorted([*CONTRACTS, "kubernetes"]) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_its_configuration_is_taken(tmp_path: Path, name: str) -> None:
    """With what it leaves to the documentation of all keys, and keys in their place."""
    (block,) = _BLOCK.findall((FOLDER / f"{name}.md").read_text())
    told = put(
        "".join(line[3:] for line in block.splitlines(keepends=True)), {"https://app.example.com": APP}
    )
    path = configuration.write(tmp_path, on_free_ports(DemoOptions(app=APP)))
    keys = set(re.findall(r"^([a-z_]+):", told, re.MULTILINE))
    rest = re.split(r"^(?=\S)", path.read_text(), flags=re.MULTILINE)
    path.write_text(told + "".join(part for part in rest if part.partition(":")[0] not in keys))
    examination = examine(path, {})
    assert examination.settings is not None, [str(finding) for finding in examination.findings]
    asked = examination.settings.forward_auth
    assert asked is not None
    assert re.search(rf"{{caller: {name if name in CONTRACTS else 'envoy'}[,}}]", told)


@pytest.mark.parametrize("name", PAGES)
def test_its_recipes_are_linked_and_it_says_what_may_go_wrong(name: str) -> None:
    """No recipe is copied into it."""
    text = (FOLDER / f"{name}.md").read_text()
    for recipe in CONTRACTS[name].recipe if name in CONTRACTS else ():
        assert f"](../../deploy/forward-auth/{recipe})" in text
    assert len(re.findall(r"^\| (?!you see|---)", text.partition("## Troubleshooting")[2], re.MULTILINE)) >= 5


def test_the_page_about_kubernetes_has_each_manifest_and_its_caller() -> None:
    """As the manifest itself says."""
    text = (FOLDER / "kubernetes.md").read_text()
    for manifest in (FOLDER.parents[1] / "deploy" / "forward-auth" / "kubernetes").glob("*.yaml"):
        line = next(line for line in text.splitlines() if f"/{manifest.name})" in line)
        (caller,) = re.findall(r"forward_auth: \{caller: ([a-z-]+)[,}]", manifest.read_text())
        assert f"| `{caller}` |" in line
        assert caller in TAKING_COOKIES
