"""Streams of security events (SSF 1.0 §7): set up by a receiver, then pushed to it or fetched by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.demo.okta.outbound.delivery import Delivery, Post, is_local
from gateway.demo.okta.outbound.security_event import EVENTS, OKTA, drafted
from gateway.demo.okta.state import Okta, Session
from gateway.demo.people import PEOPLE

PUSH, POLL = "urn:ietf:rfc:8935", "urn:ietf:rfc:8936"
STATUSES = ("enabled", "paused", "disabled")
OFFERED = {EVENTS[name]: name for name in ("session-revoked", "credential-change")}
"""What Okta sends by itself."""


class StreamError(ValueError):
    """A stream that cannot be; the text says why."""


@dataclass(slots=True)
class Stream:
    """One receiver's wish. *waiting* are tokens by jti that were not acknowledged yet."""

    id: str
    events: tuple[str, ...]
    method: str
    endpoint: str
    authorization: str | None = field(repr=False)
    status: str = "enabled"
    waiting: dict[str, str] = field(default_factory=dict, repr=False)


class Streams:
    """The one stream of the demo's client, and what goes through it."""

    def __init__(self, okta: Okta, post: Post) -> None:
        self._okta = okta
        self._post = post
        self.current: Stream | None = None
        okta.watchers.append(self._ended)
        okta.forgetting.append(self.delete)

    def configure(self, stream_id: str, wished: Mapping[str, object]) -> Stream:
        """Return the stream made, or made anew, as *wished*; raises StreamError."""
        delivery = wished.get("delivery")
        events = wished.get("events_requested")
        if not isinstance(delivery, dict) or not isinstance(events, list):
            raise StreamError("delivery is an object, events_requested a list")
        method = delivery.get("method")
        if method not in {PUSH, POLL}:
            raise StreamError(f"delivery.method is {PUSH} or {POLL}")
        endpoint = str(delivery.get("endpoint_url", ""))
        own = f"{self._okta.common.options.app}/"
        if method == PUSH and not (endpoint.startswith(own) or is_local(endpoint)):
            raise StreamError("delivery.endpoint_url is an address of the application or of this machine")
        authorization = delivery.get("authorization_header")
        self.current = Stream(
            id=stream_id,
            events=tuple(uri for uri in OFFERED if uri in events),
            method=str(method),
            endpoint=endpoint if method == PUSH else f"{self._okta.url}/api/v1/ssf/poll/{stream_id}",
            authorization=authorization if isinstance(authorization, str) else None,
        )
        return self.current

    def delete(self) -> None:
        """Forget the stream and what waits in it."""
        self.current = None

    def verify(self, stream: Stream, state: str | None) -> None:
        """Send the verification event that the receiver asked for."""
        self._send(stream, "verification", PEOPLE[0].email, state)

    def _ended(self, session: Session) -> None:
        stream = self.current
        if stream and "session-revoked" in {OFFERED[uri] for uri in stream.events}:
            self._send(stream, "session-revoked", session.person.email, None)

    def _send(self, stream: Stream, event: str, user: str, state: str | None) -> None:
        if stream.status == "disabled":
            return
        person = next(person for person in PEOPLE if person.email == user)
        shape = self._okta.common.switches.word("ssf_shape")
        draft = drafted(self._okta, person, (event,), shape=shape, stream=stream.id, state=state)
        token = draft.text()
        self._okta.common.tell(f"Okta: {event} goes into the stream of security events, shape {shape}")
        if stream.method == POLL or stream.status == "paused":
            stream.waiting[str(draft.claims["jti"])] = token
            return
        headers = {"Content-Type": "application/secevent+jwt", "Accept": "application/json"}
        if stream.authorization:
            headers["Authorization"] = stream.authorization
        self._post.send_soon(Delivery(stream.endpoint, token.encode(), headers))


def shown(okta: Okta, stream: Stream) -> dict[str, object]:
    """Return *stream* as its configuration endpoint shows it."""
    return {
        "stream_id": stream.id,
        "iss": okta.url,
        "aud": okta.common.options.app,
        "events_supported": list(OFFERED),
        "events_requested": list(stream.events),
        "events_delivered": list(stream.events),
        "delivery": {"method": stream.method, "endpoint_url": stream.endpoint},
        "format": "iss_sub",
        "min_verification_interval": 0,
    }


def metadata(okta: Okta) -> dict[str, object]:
    """Return the transmitter's metadata (SSF 1.0 §7.1); Okta's is of an earlier draft."""
    early = okta.common.switches.word("ssf_shape") == OKTA
    api = f"{okta.url}/api/v1/ssf"
    return {
        "spec_version": "1_0-ID3" if early else "1_0",
        "issuer": okta.url,
        "jwks_uri": f"{okta.url}/oauth2/v1/keys",
        "delivery_methods_supported": [PUSH, POLL],
        "configuration_endpoint": f"{api}/stream",
        "status_endpoint": f"{api}/stream/status",
        "verification_endpoint": f"{api}/stream/verification",
        "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
        "default_subjects": "ALL",
    }
