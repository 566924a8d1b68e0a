"""Errors name their cause, whose fault it is, and the fix."""

from __future__ import annotations

import pytest

from gateway.core.errors import (
    ConfigurationError,
    DownstreamError,
    GatewayError,
    ProviderError,
    UpstreamError,
)


@pytest.mark.parametrize(
    ("kind", "blame"),
    [
        (GatewayError, "internal"),
        (ProviderError, "idp"),
        (UpstreamError, "upstream"),
        (ConfigurationError, "config"),
    ],
)
def test_an_error_has_a_code_a_blame_and_a_fix(kind: type[GatewayError], blame: str) -> None:
    """The code is stable, the prose may change, and what is printed holds both."""
    error = kind("a_code", "What happened.", fix="What to do.")
    assert (error.code, error.blame, error.detail, error.fix) == (
        "a_code",
        blame,
        "What happened.",
        "What to do.",
    )
    assert str(error) == "a_code: What happened."
    assert str(kind("a_code")) == "a_code"
    assert isinstance(error, GatewayError)


def test_an_error_of_the_client_s_names_its_sentence() -> None:
    """It is said in the words of the catalogue; what is printed names them, and never repeats what was sent."""
    error = DownstreamError("bad_parameter", "twice", name="rd")
    assert (error.blame, str(error), error.values) == ("downstream", "bad_parameter: twice", {"name": "rd"})


def test_a_providers_error_says_whether_trying_again_can_help() -> None:
    """Only when it is told so."""
    assert ProviderError("x", retryable=True).retryable
    assert not ProviderError("x").retryable
