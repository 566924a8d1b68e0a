"""What is known of each provider's end of session, as the documentation has it; and that a new one is one file and one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.core.signout.evidence import Evidence
from gateway.oidc.providers.registry import HOPS, PROVIDERS
from gateway.oidc.signout.sign_outs import Ends, FormUse, Proof, SignOut, Without
from tests.fakes.hops import hop_of
from tests.marked import part
from tests.oidc.providers import made_up

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "hops.md").read_text("utf-8")
SIGN_OUTS = {
    **{name: hop.known or PROVIDERS[name].by_oidc for name, hop in HOPS.items()},
    "okta": PROVIDERS["okta"].by_oidc,
}
"""By the name of the hop; ``okta`` is the hop ``oidc`` where Okta is the provider, ``oidc`` any provider not named."""
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
    assert hop_of(hop, kind=kind).known is SIGN_OUTS[known]


def test_an_unknown_provider_gets_no_form_and_proves_nothing() -> None:
    """Its cookies are not known, nor what it makes of what it is asked."""
    for name in ("oidc", "url"):
        assert (SIGN_OUTS[name].form, SIGN_OUTS[name].ends) == (FormUse.NEVER, Ends.NEVER)


def test_a_hop_is_one_file_and_one_line(tmp_path: Path) -> None:
    """Made up, with a provider: in a copy of the gateway it is read, walked, proven, shown, registered and examined."""
    copy = shutil.copytree(
        ROOT / "gateway", tmp_path / "gateway", ignore=shutil.ignore_patterns("__pycache__")
    )
    (copy / "oidc" / "providers" / "acme.py").write_text(made_up.DESCRIPTOR)
    registry = copy / "oidc" / "providers" / "registry.py"
    text = registry.read_text()
    line = '    "google",\n'
    assert text.count(line) == 1
    registry.write_text(text.replace(line, f'{line}    "acme",\n'))
    ran = subprocess.run(
        [sys.executable, "-m", "tests.oidc.providers.made_up"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert Path(ran.stdout.split()[-1]).parent == copy
