"""With which methods a provider's end-session endpoint can be asked, tried without cookies and without a hint.

Such a request has no session to end. Whether a session ends with the method that the gateway uses, its cookie decides,
and that is nothing to be seen from here: a form of another site brings no Lax cookie along.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from gateway.app.options import logout_options
from gateway.doctor.check import check
from gateway.doctor.hops import status_and_target
from gateway.doctor.patient import STATE, Patient
from gateway.doctor.probe import NoAnswerError, Reply
from gateway.doctor.verdict import LIVE_FIX, Observation, failed, ok, unknown, warning
from gateway.oidc.signout.logout import Hop
from gateway.oidc.signout.sign_outs import FormUse
from gateway.oidc.urls import with_query

_NOT_TAKEN = {404, 405, 501}
_BY_EYE = "sign out once in a browser; if the next sign-in asks for no password, write the hop without `form`"


@check("end-session-methods", "Does the end-session endpoint take what the gateway sends: GET, or a form?")
async def end_session(patient: Patient) -> AsyncIterator[Observation]:
    for hop in logout_options(patient.settings).hops:
        metadata = patient.discovered.metadata
        endpoint = hop.endpoint(metadata.end_session if metadata else None)
        if endpoint is None:
            continue
        if not patient.live:
            yield unknown(endpoint, "whether it takes GET and POST was not asked", LIVE_FIX)
            continue
        asked = [
            ("client_id", patient.settings.provider.client_id),
            ("post_logout_redirect_uri", patient.return_address(hop)),
            ("state", STATE),
        ]
        try:
            by_get = await patient.probe.get(with_query(endpoint, asked))
            by_form = await patient.probe.post(endpoint, asked)
        except NoAnswerError as error:
            yield failed(endpoint, str(error), "compare the address with the provider's own metadata")
            continue
        yield _judged(hop, endpoint, by_get, by_form)


def _judged(hop: Hop, endpoint: str, by_get: Reply, by_form: Reply) -> Observation:
    what = (
        f"without a session it answers GET with {status_and_target(by_get)},"
        f" a form with {status_and_target(by_form)}"
    )
    if by_get.unwell or by_form.unwell:
        return unknown(endpoint, what, "ask again later")
    if getattr(hop.way, "form", FormUse.NEVER) is not FormUse.ALWAYS:
        if by_get.status in _NOT_TAKEN:
            fix = f"write {{{hop.name}: form}}, and see whether the next sign-in asks for the password"
            return failed(endpoint, f"{what}: the address that the gateway sends people to is none", fix)
        return ok(endpoint, f"{what}; the gateway asks by GET, with which Lax cookies come along")
    if by_form.status in _NOT_TAKEN:
        fix = f"write {hop.name} without `form`"
        return failed(endpoint, f"{what}: the form that the gateway sends strands people there", fix)
    if hop.known.form is FormUse.ALWAYS:
        return ok(
            endpoint,
            f"{what}; the gateway asks by a form, which {hop.label} is known to take with its cookies",
        )
    return warning(
        endpoint, f"{what}; a form brings no Lax cookie along, so its session may live on", _BY_EYE
    )


CHECKS = (end_session,)
