"""What is known of each provider's end of session, and that the documentation says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.names import HOPS
from gateway.core.signout.evidence import Asked, Evidence
from gateway.oidc.signout.sign_outs import SIGN_OUTS, Ends, FormUse, Proof, SignOut, Without, sign_out_of
from tests.marked import part

PAGE = (Path(__file__).parents[3] / "docs" / "hops.md").read_text("utf-8")
STATE = {Proof.STATE: "yes", Proof.STATE_IF_ANY: "perhaps", Proof.PATH: "no", Proof.NOTHING: "no"}


def rows(name: str) -> dict[str, list[str]]:
    """A table of the page: the first cell to the others."""
    _, _, *lines = (part(PAGE, name) or "").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first.strip("`"): rest for first, *rest in cells}


def as_written(known: SignOut) -> list[str]:
    hint = f"{known.hint}, {known.without.value}" if known.hint else "none"
    return [known.form.value, hint, known.proof.value, known.ends.value]


def test_the_page_says_what_the_gateway_does() -> None:
    """Cell by cell, and nothing else."""
    assert rows("done") == {name: as_written(known) for name, known in SIGN_OUTS.items()}


def test_every_cell_says_whether_it_is_known() -> None:
    """Of the presets and of whoever else was looked at."""
    found = rows("known")
    assert set(SIGN_OUTS) < set(found)
    assert all(len(cells) == 6 for cells in found.values())
    assert [
        cell for cells in found.values() for cell in cells if "[C]" not in cell and "[U]" not in cell
    ] == []


@pytest.mark.parametrize("name", SIGN_OUTS)
def test_what_is_done_follows_from_what_is_known(name: str) -> None:
    """A form, and the end of a session, only on a confirmed fact; whoever is asked by GET is known to take it."""
    known = SIGN_OUTS[name]
    by_get, by_form, _, hint, state, over = rows("known")[name]
    confirmed = {
        cell: cell.partition("[")[0].strip() if "[C]" in cell else "" for cell in (by_get, by_form, over)
    }
    assert confirmed[by_form].startswith("yes") is (known.form is not FormUse.NEVER)
    if known.form is not FormUse.ALWAYS and name not in {"google", "url"}:
        assert confirmed[by_get].startswith("yes")
    means = {Ends.ALWAYS: "yes", Ends.WITH_HINT: "with the hint"}
    assert all(confirmed[over].startswith(said) is (known.ends is ends) for ends, said in means.items())
    if known.hint:
        assert ("needs it [C]" in hint) is (known.without is Without.STRANDED)
        assert ("error page [C]" in hint) is (known.without is Without.UNCERTAIN)
        assert known.without is not Without.ASKED or hint.startswith("asks ")
    assert ("takes none [C]" in hint) is (not known.hint and name != "url")
    assert state.startswith(STATE[known.proof])


def test_every_code_of_the_evidence_is_explained() -> None:
    """And no other."""
    cells = [line.split("|")[2].strip(" `") for line in (part(PAGE, "evidence") or "").splitlines()[2:]]
    assert cells == [str(code) for code in Evidence]


def test_every_hop_that_can_be_written_is_known() -> None:
    """And Okta as an OpenID provider, whose hop is `oidc`."""
    assert set(SIGN_OUTS) == {*HOPS, "okta"}


@pytest.mark.parametrize(
    ("hop", "kind", "known"),
    [
        ("oidc", "okta", "okta"),
        ("oidc", "keycloak", "keycloak"),
        ("oidc", "oidc", "oidc"),
        ("oidc", "entra", "oidc"),
        ("oidc", "auth0", "oidc"),
        ("keycloak", "keycloak", "keycloak"),
        ("okta_signout", "okta", "okta_signout"),
        ("okta_signout", "cognito", "okta_signout"),
    ],
)
def test_a_provider_has_its_manners_by_whichever_name_it_is_called(hop: str, kind: str, known: str) -> None:
    """Another's end of session, asked as OpenID Connect has it, is not the one that is known."""
    assert sign_out_of(hop, kind) is SIGN_OUTS[known]


def test_an_unknown_provider_gets_no_form_and_proves_nothing() -> None:
    """Its cookies are not known, nor what it makes of what it is asked."""
    for name in ("oidc", "url"):
        assert (SIGN_OUTS[name].form, SIGN_OUTS[name].ends) == (FormUse.NEVER, Ends.NEVER)


@pytest.mark.parametrize("asked", list(Asked))
def test_a_return_means_the_end_where_the_provider_was_asked_so(asked: Asked) -> None:
    """Who asks the person when there is no hint leads back whatever the answer."""
    assert SIGN_OUTS["cognito"].ended(asked)
    assert SIGN_OUTS["keycloak"].ended(asked)
    assert SIGN_OUTS["entra"].ended(asked) is (asked is Asked.HINT)
    assert not SIGN_OUTS["oidc"].ended(asked)
