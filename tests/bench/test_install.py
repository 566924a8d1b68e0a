"""What is pinned, and how a missing peer is explained."""

from __future__ import annotations

import pytest

from tests.bench.install import GO_MODULE, OAUTH2_PROXY, go_failure, oauth2_proxy_version


def test_r39_oauth2_proxy_is_pinned_by_its_hash() -> None:
    """The version of go.mod has its hash in go.sum, and nothing is replaced."""
    sums = (GO_MODULE / "go.sum").read_text()
    assert f"{OAUTH2_PROXY} v{oauth2_proxy_version()} h1:" in sums
    assert "replace" not in (GO_MODULE / "go.mod").read_text()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("go: go.mod requires go >= 1.26.0 (running go 1.24.4; GOTOOLCHAIN=local)", "it needs Go 1.26.0 or newer"),
        ("x@v1: reading https://proxy.example/x: 403 Forbidden", "`go install` failed: its modules cannot be fetched"),
        ("module lookup disabled by GOPROXY=off", "`go install` failed: its modules cannot be fetched"),
        ("main.go:7: undefined: x", "`go install` failed: it does not build"),
    ],
)  # fmt: skip
def test_the_reason_names_no_address(said: str, why: str) -> None:
    """It goes into a page that is committed."""
    assert go_failure(said) == why
