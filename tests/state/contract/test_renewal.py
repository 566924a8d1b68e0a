"""Why a log got another id, as it is written down and told."""

from __future__ import annotations

import pytest

from gateway.state.contract.renewal import TOLD_FOR, Cause, Renewal, read, tell_of_renewal, why


@pytest.mark.parametrize("cause", Cause)
def test_what_is_written_is_read(cause: Cause) -> None:
    """Told or not; and every cause has words."""
    renewal = Renewal(cause, 1_700_000_000)

    assert read(renewal.written()) == renewal
    assert read(f"{renewal.written()} told") == Renewal(cause, 1_700_000_000, told=True)
    assert why(cause)


@pytest.mark.parametrize("text", ["", "x session", "5", "5 other", "5 session twice", "5 session told told"])
def test_anything_else_is_none(text: str) -> None:
    """A later release may write of causes that this one does not know."""
    found = read(text)
    assert found is None or not found.told


def test_readyz_tells_of_it_for_a_day() -> None:
    """With the time and the cause."""
    renewal = Renewal(Cause.WITNESS, 1_700_000_000)

    note = renewal.note(1_700_000_000 + TOLD_FOR)
    assert "2023-11-14 22:13:20Z" in note
    assert why(Cause.WITNESS) in note
    assert renewal.note(1_700_000_001 + TOLD_FOR) == ""


def test_a_line_tells_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    """As an error: everybody was signed out."""
    tell_of_renewal(Cause.SESSION)

    out = capsys.readouterr().out
    assert "state_log_renewed" in out
    assert "older copy" in out
