"""A sign-out with a provider and a hop that only one file and one line of the registry know; run with both in place."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from gateway.app.options import logout_options, provider_options
from gateway.config import load
from gateway.config.schema import schema
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import RETURNED, ChainLimits, Done, Go
from gateway.core.signout.evidence import Evidence
from gateway.doctor.registrations import registrations
from gateway.idp.provider import IdentityProvider
from gateway.web.pages.receipt import HopLine, entry
from gateway.web.signout.hops import Hops
from tests.doctor.deployment import APP, FAILED, OK, Deployment
from tests.fakes.puppet import Puppet, Says, moved, puppet

DESCRIPTOR = """
from gateway.oidc.providers.descriptor import HopKind, ProviderKind, Registration, Return
from gateway.oidc.signout.sign_outs import Ends, Proof, SignOut

KIND = ProviderKind(
    name="acme", label="Acme", console="the Acme console", hop="acme_bye", sign_in=("Clients", "Callbacks")
)
HOP = HopKind(
    name="acme_bye",
    of="acme",
    label="Acme",
    known=SignOut(Proof.STATE, Ends.ALWAYS),
    address="{behind}/bye?back={return_to}&nonce={state}",
    example="https://acme.example.com",
    registers=(Registration("the Acme console", "Ways back", "Exactly", "{return_to}", "or nobody comes back"),),
    question="Does Acme send the browser back?",
    returns=Return.EXACT,
)
"""
LIMITS = ChainLimits(30, 120)


async def walk(directory: Path, idp: Puppet) -> None:
    """From the file to the receipt, and what an operator reads."""
    hop = {"acme_bye": idp.origin("acme")}
    written = Deployment.openid(directory, idp, "acme", logout={"chain": [hop]})
    settings = load(written.write(), {})
    assert "acme_bye" in str(schema())
    del written.pieces["logout"]
    assert [str(each) for each in load(written.write(), {}).logout.chain] == [
        f"{{acme_bye: {idp.origin('issuer')}}}"
    ]
    written.pieces["logout"] = {"chain": [hop]}

    options = logout_options(settings)
    provider = IdentityProvider(provider_options(settings))
    hops = Hops(options.hops, APP, provider)
    step = chains.begin([each.name for each in options.hops], LIMITS, now=1, nonce="nonce")
    assert isinstance(step, Go)
    nonce = step.chain.return_nonce("acme_bye")
    back = f"{APP}/logout/done/acme_bye"
    assert hops.location(step.chain) == (
        f"{idp.origin('acme')}/bye?back={back.replace(':', '%3A').replace('/', '%2F')}&nonce={nonce}"
    )
    assert hops.evidence(step.chain, "acme_bye", "", "another") is None
    evidence = hops.evidence(step.chain, "acme_bye", "", nonce)
    assert evidence is Evidence.SESSION_ENDED
    done = chains.returned(step.chain, "acme_bye", evidence, LIMITS, now=2)
    assert isinstance(done, Done)
    (state,) = hops.effective(done.chain)
    line = entry(HopLine(state.name, hops.label(state.name), RETURNED, state.at, state.evidence))
    assert (line.label, line.chip) == ("Acme", "Confirmed")
    await provider.close()

    lines = {(each.console, each.field): each.value for each in registrations(settings)}
    assert lines == {
        ("the Acme console", "Callbacks"): f"{APP}/oauth2/callback",
        ("the Acme console", "Exactly"): back,
    }
    for answer, verdict in ((moved(back), OK), (Says(400), FAILED)):
        idp.lines["/bye"] = answer
        seen = await written.only("hop-acme-bye", live=True)
        assert seen.verdict is verdict, seen
    assert "Ways back" in seen.fix


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with puppet() as idp:
            await walk(Path(directory), idp)


if __name__ == "__main__":
    asyncio.run(main())
    print(sys.modules["gateway"].__file__)
