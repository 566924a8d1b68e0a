"""Receipts as a process makes them out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from gateway.core.signout import chain as chains
from gateway.core.signout.chain import Chain, ChainLimits, Done
from gateway.core.signout.evidence import Evidence
from gateway.oidc.jose.jwks import KeySet
from gateway.oidc.signout.signed_receipt import FINISHED, STARTED, LogoutReceipt, ReceiptKey, verified
from gateway.telemetry.receipts import ReceiptBook, logout_id

NOW = 1_800_000_000
LIMITS = ChainLimits(30, 120)
KEY = ReceiptKey.new()


def book() -> ReceiptBook:
    return ReceiptBook("https://app.example.com", "https://idp.example.com", KEY)


def read(token: str) -> LogoutReceipt:
    return verified(token, KeySet((KEY.public,)))


def chain() -> Chain:
    """One that has begun."""
    begun = chains.begin(["cognito"], LIMITS, now=NOW, nonce="only-this-browser-knows").chain
    return replace(begun, who=("0a1b2c3d4e5f", "s-1", "alice@example.com"))


def closed() -> Chain:
    done = chains.returned(chain(), "cognito", Evidence.CAME_BACK, LIMITS, now=NOW + 5)
    assert isinstance(done, Done)
    return done.chain


def test_both_receipts_of_a_sign_out_share_its_id() -> None:
    """What started is what finished; only the first says why, only the last how."""
    made = book()
    first, last = read(made.started(chain(), "post")), read(made.finished(closed()))
    assert (first.state, last.state) == (STARTED, FINISHED)
    assert first.logout == last.logout == logout_id(chain())
    assert (first.at, last.at, last.started) == (NOW, NOW + 5, NOW)
    assert (first.how, last.how) == ("post", None)
    assert [hop.status for hop in (*first.hops, *last.hops)] == ["pending", "returned"]
    assert first.who == last.who
    assert first.who is not None
    assert (first.who.issuer, first.who.subject, first.session) == (
        "https://idp.example.com",
        "s-1",
        "0a1b2c3d4e5f",
    )


def test_a_process_numbers_what_it_writes() -> None:
    """One after the other; another process begins its own row."""
    made, other = book(), book()
    row = [read(made.started(chain(), "post")), read(made.finished(closed())), read(other.finished(closed()))]
    assert [receipt.number for receipt in row] == [1, 2, 1]
    assert row[0].run == row[1].run != row[2].run


def test_the_user_s_copy_claims_the_same_without_a_number() -> None:
    """Asked for twice, it leaves no gap in the log."""
    made = book()
    copies = [read(made.copy(closed())), read(made.copy(closed()))]
    last = read(made.finished(closed()))
    assert last.number == 1
    assert copies == [last.unnumbered] * 2


def test_the_nonce_of_a_chain_is_in_no_receipt() -> None:
    """It proves the return from a provider (rule R28)."""
    assert "only-this-browser-knows" not in logout_id(chain())
    assert logout_id(chain()) != logout_id(replace(chain(), nonce="another"))


def test_nobody_s_sign_out_names_nobody() -> None:
    """There was no session: nothing is invented."""
    receipt = read(book().started(replace(chain(), who=None), "get"))
    assert (receipt.who, receipt.session) == (None, None)


def test_another_key_signs_from_then_on() -> None:
    """What was signed before stays good under the former one."""
    made, new = book(), ReceiptKey.new()
    made.key = new
    assert verified(made.copy(closed()), KeySet((new.public,))).state == FINISHED


def test_other_words_change_nothing_that_is_signed_sealed_or_written_down() -> None:
    """All of the gateway's sentences are reworded; what a page says is another text then, and no claim is."""
    ours, other = (
        json.loads(
            subprocess.run(
                [sys.executable, *how], cwd=Path(__file__).parents[2], check=True, capture_output=True
            ).stdout.splitlines()[-1]
        )
        for how in (
            ["-m", "tests.telemetry.claims"],
            ["-m", "tests.fakes.reworded", "tests.telemetry.claims"],
        )
    )
    assert all(mine != theirs for mine, theirs in zip(ours["words"], other["words"], strict=True))
    assert ours["codes"] == other["codes"]
    codes = re.sub("what the provider said", "", json.dumps(ours["codes"]))
    assert re.findall(r"[a-z]{2,} [a-z]{2,}", codes) == []
