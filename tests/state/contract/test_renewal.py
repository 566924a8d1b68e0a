"""Why a log got another id, as it is written down and told."""

from __future__ import annotations

import pytest

from gateway.state.contract.renewal import REPORTED_FOR, LogRenewal, RenewalCause, read, tell_of_renewal, why


@pytest.mark.parametrize("cause", RenewalCause)
def test_what_is_written_is_read(cause: RenewalCause) -> None:
    """Told or not; and every cause has words."""
    renewal = LogRenewal(cause, 1_700_000_000)

    assert read(renewal.written()) == renewal
    assert read(f"{renewal.written()} told") == LogRenewal(cause, 1_700_000_000, reported=True)
    assert why(cause)


@pytest.mark.parametrize("text", ["", "x session", "5", "5 other", "5 session twice", "5 session told told"])
def test_anything_else_is_none(text: str) -> None:
    """A later release may write of causes that this one does not know."""
    found = read(text)
    assert found is None or not found.reported


def test_readyz_tells_of_it_for_a_day() -> None:
    """With the time and the cause."""
    renewal = LogRenewal(RenewalCause.WITNESS, 1_700_000_000)

    note = renewal.note(1_700_000_000 + REPORTED_FOR)
    assert "2023-11-14 22:13:20Z" in note
    assert why(RenewalCause.WITNESS) in note
    assert renewal.note(1_700_000_001 + REPORTED_FOR) == ""


def test_a_line_tells_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    """As an error: everybody was signed out."""
    tell_of_renewal(RenewalCause.SESSION)

    out = capsys.readouterr().out
    assert "state_log_renewed" in out
    assert "older copy" in out
