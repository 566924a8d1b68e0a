"""The hops at Cognito and Okta, against servers that say one thing or another, and against the emulators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.demo import configuration
from gateway.demo import idp as emulators
from gateway.demo.options import DemoOptions
from gateway.doctor.examination import examined
from gateway.doctor.hops import Answers, exact, registered, trusted
from gateway.doctor.probe import Reply
from tests.doctor.deployment import APP, FAILED, OK, UNKNOWN, WARNING, Deployment, cognito_provider
from tests.fakes.ports import on_free_ports
from tests.fakes.puppet import Line, Puppet, Says, moved

COGNITO = f"{APP}/logout/done/cognito"
OKTA = f"{APP}/logout/done/okta_signout/gateway-doctor"
SIGNOUT = "/login/signout"


@pytest.mark.parametrize(
    ("answer", "verdict", "said"),
    [
        (moved(COGNITO), OK, "exactly"),
        (moved(f"{COGNITO}?state=x"), WARNING, "appended"),
        (moved(f"{COGNITO}/"), WARNING, "appended"),
        (moved("/error?error=Required+parameters+missing"), FAILED, "/error"),
        (moved("/login?client_id=client"), FAILED, "/login"),
        (Says(400, "Required String parameter 'redirect_uri' is not present"), FAILED, "400"),
        (Says(200, "signed out"), FAILED, "200"),
        (moved("http://okta.localhost/app/x/slo/saml?SAMLRequest=abc"), UNKNOWN, "SAML single logout"),
        (Says(503), UNKNOWN, "503"),
        (Says(raw=b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\n\r\n"), FAILED, ""),
        (Says(raw=b"nonsense"), FAILED, ""),
    ],
)
async def test_trap_05_cognitos_answer_is_read_to_the_byte(
    cognito: Deployment, idp: Puppet, answer: Line, verdict: object, said: str
) -> None:
    """Only a redirect to exactly our address is good; the fix has it to be pasted."""
    idp.lines["/logout"] = answer
    seen = await cognito.only("hop-cognito", live=True)
    assert seen.verdict is verdict, seen
    assert said in seen.what
    if verdict is FAILED and said:
        assert COGNITO in seen.fix
    asked = idp.asked[-1]
    assert dict(asked.query) == {"client_id": "client", "logout_uri": COGNITO}
    assert "Cookie" not in asked.headers


def answering(trusted: Line, refused: Line) -> Line:
    """An Okta that knows our origin from others."""

    def answer(request: Any) -> Says:
        said = trusted if request.query["fromURI"].startswith(APP) else refused
        assert isinstance(said, Says)
        return said

    return answer


LOGIN = moved("/login/login.htm")


@pytest.mark.parametrize(
    ("trusted", "refused", "verdict", "said"),
    [
        (moved(OKTA), LOGIN, OK, "trusted"),
        (moved(f"{OKTA}?x=1"), Says(400), OK, "trusted"),
        (Says(200, f'<a href="{OKTA}">'), LOGIN, OK, "leads back"),
        (LOGIN, LOGIN, WARNING, "either ours is not trusted"),
        (Says(400), Says(400), FAILED, "the same as"),
        (Says(200, "signed out"), LOGIN, FAILED, "does not come back"),
        (moved(OKTA), moved("https://gateway-doctor.invalid/"), UNKNOWN, "any address"),
    ],
)
async def test_trap_13_oktas_trust_is_told_by_comparison(
    cognito: Deployment, idp: Puppet, trusted: Line, refused: Line, verdict: object, said: str
) -> None:
    """Asked once for our address and once for one that nobody can have registered."""
    idp.lines[SIGNOUT] = answering(trusted, refused)
    seen, rest = await cognito.seen("hop-okta-signout", live=True)
    assert seen.verdict is verdict, seen
    assert said in seen.what
    if verdict is FAILED:
        assert "Trusted Origins" in seen.fix
        assert APP in seen.fix
    assert rest.verdict is UNKNOWN
    assert "only a real sign-out tells" in rest.what
    if refused is LOGIN:
        assert rest.what.endswith("answers 302 to /login/login.htm")


async def test_an_okta_that_is_not_well_says_nothing(cognito: Deployment, idp: Puppet) -> None:
    """One line: there is nothing to compare."""
    idp.lines[SIGNOUT] = Says(429)
    seen = await cognito.only("hop-okta-signout", live=True)
    assert (seen.verdict, "429" in seen.what) == (UNKNOWN, True)


async def test_an_okta_that_is_not_there_fails(cognito: Deployment) -> None:
    """One line, with the address to compare."""
    cognito.pieces["logout"] = {"chain": ["cognito", {"okta_signout": "http://okta.localhost:9"}]}
    seen = await cognito.only("hop-okta-signout", live=True)
    assert seen.verdict is FAILED
    assert "Okta's own" in seen.fix


async def test_nothing_is_asked_without_live(cognito: Deployment, idp: Puppet) -> None:
    """Both say what they would ask."""
    for name in ("hop-cognito", "hop-okta-signout"):
        seen = await cognito.only(name)
        assert seen.verdict is UNKNOWN
        assert "--live" in seen.fix
    assert {request.path for request in idp.asked} <= {
        "/eu-west-1_pool/.well-known/openid-configuration",
        "/eu-west-1_pool/jwks.json",
    }


@pytest.mark.parametrize(
    ("chain", "identity_provider", "verdict", "said"),
    [
        (["cognito", {"okta_signout": "http://okta.localhost"}], "Okta", OK, "cognito → okta_signout"),
        ([{"okta_signout": "http://okta.localhost"}, "cognito"], "Okta", WARNING, "stranded at okta_signout"),
        ([{"okta_signout": "http://okta.localhost"}], "Okta", FAILED, "signs people in again"),
        ([], None, FAILED, "signs people in again"),
        (["cognito"], "Okta", WARNING, "Okta behind it stays signed in"),
        (["cognito"], None, OK, "Cognito's own"),
    ],
)
async def test_trap_03_the_chain_is_whole_and_in_order(
    tmp_path: Path, idp: Puppet, chain: list[Any], identity_provider: str | None, verdict: object, said: str
) -> None:
    """Cognito before Okta, and neither left out."""
    provider = cognito_provider(idp) | {"identity_provider": identity_provider}
    made = Deployment.cognito(tmp_path, idp, logout={"chain": chain})
    made.pieces["provider"] = {name: value for name, value in provider.items() if value is not None}
    seen = await made.only("chain")
    assert seen.verdict is verdict, seen
    assert said in seen.what


async def test_the_chain_of_another_provider(openid: Deployment) -> None:
    """What the kind implies is walked; an empty one is said to end nothing there."""
    seen = await openid.only("chain")
    assert (seen.verdict, seen.what) == (OK, "the gateway's session ends first, then: oidc")
    openid.pieces["logout"] = {"chain": []}
    assert (await openid.only("chain")).verdict is WARNING


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[tuple[emulators.RunningIdp, Path]]:
    """The emulated Cognito and Okta, and the configuration of the demo."""
    options = on_free_ports(DemoOptions(federation="saml"))
    running = await emulators.start(options, on_event=lambda _: None)
    yield running, configuration.write(tmp_path, options)
    await running.close()


@pytest.mark.parametrize(
    ("switches", "cognitos", "oktas"),
    [
        ({}, OK, OK),
        ({"signout_interstitial": True}, OK, OK),
        ({"signout_untrusted": "error_page"}, OK, OK),
        ({"logout_strands": True, "signout_strands": True}, FAILED, WARNING),
        ({"signout_without_session": "login_page"}, OK, WARNING),
    ],
)
async def test_the_emulators_in_their_variants(
    demo: tuple[emulators.RunningIdp, Path], switches: dict[str, Any], cognitos: object, oktas: object
) -> None:
    """An org that answers a stranger with its sign-in page looks as one that does not trust us: it is said so."""
    running, config = demo
    running.control.cognito.set(**switches)
    found = (await examined(config, environ={}, live=True)).seen
    verdicts = {name: o.verdict for name, o in reversed(found) if name.startswith("hop-")}
    assert verdicts == {"hop-cognito": cognitos, "hop-okta-signout": oktas}


SEEN = st.builds(
    Reply,
    st.integers(100, 599),
    st.lists(
        st.tuples(st.sampled_from(["location", "set-cookie", "content-type"]), st.text(max_size=80))
    ).map(tuple),
    st.text(max_size=80),
)


@given(SEEN, SEEN)
def test_whatever_is_answered_is_a_verdict(one: Reply, other: Reply) -> None:
    """Statuses, targets and pages of any kind, and what is said of them is fit to be shown."""
    answers = Answers(one, other, "url", OKTA, "a fix", "Okta")
    for told in (*exact(answers), *trusted(answers), *registered(answers)):
        assert told.what.isprintable()
