"""One connection of a proxy that asks over gRPC: HTTP/2 by h2, and calls with one message to us each.

No gRPC library stands above h2: see docs/decisions/0007-grpc-without-a-library.md. Everything has a bound: calls, bytes
that have come, bytes that wait to be sent, seconds for both.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import H2Error, ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings
from h2.utilities import HeaderValidationFlags, validate_headers

from gateway.core.http.forwarded import SECRET
from gateway.web.ext_authz.call import PREFIX, UNAVAILABLE, GrpcCall
from gateway.web.ext_authz.known_blocks import KnowingDecoder, KnowingEncoder

if TYPE_CHECKING:
    from gateway.web.ext_authz.listener import QuestionListener

CALLS = 256
"""Calls of one connection at once, those included that were given up and are still being answered."""
UNREAD = 1024 * 1024
"""Bytes of messages that have come and are not whole yet, of one connection (its flow-control window)."""
LINGER = 5.0
"""Seconds for the other side to close a connection that it was asked to leave."""
_HEADERS = 16 * 1024
"""Bytes of the headers of a call. Envoy's are a few hundred."""
_GO_AWAY = struct.pack(">BHBBIII", 0, 8, 7, 0, 0, 2**31 - 1, 0)
"""The frame that asks to begin no more calls here, and lets those go on that are under way (RFC 9113 §6.8). h2 itself
can only end the connection."""
_PING = b"watches?"
"""Eight bytes that come back."""
_REPLY = ((b":status", b"200"), (b"content-type", b"application/grpc"))
_CONTENT_TYPE = b"application/grpc"


_REQUEST = HeaderValidationFlags(False, False, False, False)
_TRAILERS = HeaderValidationFlags(False, True, False, False)


class _H2(H2Connection):
    MAX_CLOSED_STREAMS = 1_024  # what is remembered of calls that are over; h2 has 65,536

    def __init__(self) -> None:
        # What comes is held to the rules here, once for as long as it is the same; what goes out is ours, and constant.
        super().__init__(
            H2Configuration(
                False,
                header_encoding=False,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.encoder = KnowingEncoder()
        self.decoder = KnowingDecoder(self.DEFAULT_MAX_HEADER_LIST_SIZE)
        self._lawful: Sequence[tuple[bytes, bytes]] = ()

    def check(self, event: events.Event) -> None:
        """Whether a call may begin, or end, like this (RFC 9113 §8.2).

        :raises ProtocolError: the connection is to end, and the other side is told.
        """
        if isinstance(event, events.RequestReceived):
            if event.headers != self._lawful:
                self._hold(event.headers, _REQUEST)
                self._lawful = event.headers
        elif isinstance(event, events.TrailersReceived):
            self._hold(event.headers, _TRAILERS)

    def _hold(self, headers: Sequence[tuple[bytes, bytes]], rules: HeaderValidationFlags) -> None:
        try:
            for _ in validate_headers(headers, rules):
                pass
        except ProtocolError as error:
            self.close_connection(error.error_code)
            raise


class CallerConnection(asyncio.Protocol):
    """See the module.

    :ivar peer: address of the caller. :ivar calls: that have not been answered to the end, by stream.
    """

    def __init__(self, owner: QuestionListener) -> None:
        self._owner = owner
        self._h2 = _H2()
        self._transport = cast("asyncio.Transport", None)
        self.calls: dict[int, GrpcCall] = {}
        self._given_up = 0
        self._pinged = False
        self._deadline = 0.0
        self._leaving = False
        self.peer = ""

    @property
    def idle(self) -> bool:
        """Nothing is asked."""
        return not self.calls and not self._given_up

    @property
    def watching(self) -> int:
        """How many of its calls watch."""
        return sum(call.watches for call in self.calls.values())

    # From the caller

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        if not self._owner.admit(self):
            self._transport.abort()
            return
        # To h2 one call too many is the end of the connection, so it hears of the limit in a second step, which counts
        # when the other side has read of it; until then we refuse the call alone.
        initial = {
            SettingCodes.MAX_CONCURRENT_STREAMS: 2**31 - 1,
            SettingCodes.INITIAL_WINDOW_SIZE: max(65_535, self._owner.longest + PREFIX),
            SettingCodes.MAX_HEADER_LIST_SIZE: _HEADERS,
        }
        self._h2.local_settings = Settings(client=False, initial_values=initial)
        self._h2.initiate_connection()
        self._h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: CALLS})
        self._h2.increment_flow_control_window(UNREAD - 65_535)
        self._rest()
        self._flush()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._h2.receive_data(data):
                self._h2.check(event)
                self._take(event)
            self._flush()
        except H2Error as error:
            self._owner.warn("grpc_broken", client=self.peer, why=type(error).__name__)
            self._flush()
            self._transport.close()
        except Exception as error:  # noqa: BLE001 -- whatever it was, nobody may be left to wait for an answer
            self._owner.crashed(error)
            self._transport.abort()

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.RequestReceived):
            self._begin(event.stream_id, event.headers)
        elif isinstance(event, events.DataReceived):
            self._data(event.stream_id, event.data, event.flow_controlled_length)
        elif isinstance(event, events.StreamEnded):
            call = self.calls.get(event.stream_id)
            if call is not None:
                self._acknowledge(call)
                self._ask(call)
        elif isinstance(event, events.StreamReset):
            self._forget(event.stream_id)
        elif isinstance(event, events.WindowUpdated | events.RemoteSettingsChanged):
            self._send_more()
        elif isinstance(event, events.PingAckReceived):
            self._pinged = False
        elif isinstance(event, events.ConnectionTerminated):
            self._transport.close()  # h2 sends nothing more after that

    def _begin(self, stream: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        if len(self.calls) + self._given_up >= CALLS:
            self._reset(stream, ErrorCodes.REFUSED_STREAM)
            self._owner.warn("grpc_too_many_calls", client=self.peer, limit=CALLS)
            return
        found = dict(headers)
        if found.get(b":method") != b"POST" or not found.get(b"content-type", b"").startswith(_CONTENT_TYPE):
            if self._stands(stream):
                self._h2.send_headers(stream, [(b":status", b"415")], end_stream=True)
            return
        deadline = self._owner.clock.after(self._owner.seconds)
        path, secret = found.get(b":path", b""), found.get(SECRET, b"")
        self.calls[stream] = GrpcCall(self, stream, path, self._owner.longest, deadline, secret)

    def _data(self, stream: int, data: bytes, size: int) -> None:
        call = self.calls.get(stream)
        if call is None or call.answered:
            self._h2.acknowledge_received_data(size, stream)
            return
        call.unread += size
        if not call.put(data):
            self._owner.unreadable(self.peer, "too_large")
            self._acknowledge(call)
            call.too_large()

    def _ask(self, call: GrpcCall) -> None:
        if call.answered:
            return
        if not call.complete():
            self._owner.unreadable(self.peer, "malformed_request")
            return
        call.waiting = True
        self._owner.ask(call)

    def _acknowledge(self, call: GrpcCall) -> None:
        """What has come of it makes room for more on the connection, also where its stream is over."""
        size, call.unread = call.unread, 0
        if size:
            self._h2.acknowledge_received_data(size, call.stream)

    # To the caller

    def settled(self, call: GrpcCall) -> None:
        """A call that was handed on is no more on anybody's mind."""
        if self.calls.get(call.stream) is not call:
            self._given_up -= 1

    def send(self, call: GrpcCall) -> None:
        """The answer is there. To a caller that has gone, or wants it no more, nothing."""
        if self.calls.get(call.stream) is not call or self._transport.is_closing():
            return
        if not self._stands(call.stream):
            return
        try:
            if call.message is not None and not call.begun:
                call.begun = True
                self._h2.send_headers(call.stream, _REPLY)
            self._send(call)
            self._flush()
        except H2Error as error:
            self._owner.crashed(error)
            self._transport.abort()

    def _stands(self, stream: int) -> bool:
        """Whether something may be sent there. What the caller has given up in the same read h2 knows before us, and
        may have forgotten: to send there is an error to it then, and would be the end of the connection.
        """
        found = self._h2.streams.get(stream)
        return found is not None and not found.closed

    def _send(self, call: GrpcCall) -> None:
        """As much as the caller has room for, then its end, where nothing more can follow."""
        stream = call.stream
        while call.unsent:
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room <= 0:
                return
            self._h2.send_data(stream, call.unsent[:room])
            call.unsent = call.unsent[room:]
        if call.watches:
            return
        ends = call.trailers if call.message is not None else (*_REPLY, *call.trailers)
        self._h2.send_headers(stream, ends, end_stream=True)
        if not call.ended:
            # What it still sends is not read (RFC 9113 §8.1).
            self._reset(stream, ErrorCodes.NO_ERROR)
        self._forget(stream)

    def _send_more(self) -> None:
        """The caller has room again."""
        for call in [each for each in self.calls.values() if each.unsent]:
            if self._stands(call.stream):
                self._send(call)

    def _reset(self, stream: int, why: ErrorCodes) -> None:
        with contextlib.suppress(StreamClosedError):
            self._h2.reset_stream(stream, why)

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def _forget(self, stream: int) -> None:
        call = self.calls.pop(stream, None)
        if call is not None:
            self._given_up += call.waiting
            self._acknowledge(call)
        if not self.calls:
            self._rest()

    def _rest(self) -> None:
        if not self._leaving:
            self._deadline = self._owner.clock.after(self._owner.keep_alive)

    def pause_writing(self) -> None:
        """Who does not take its answers asks nothing more meanwhile."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    # Ends

    def check(self, now: float) -> None:
        """A look at the clock (:class:`gateway.proxy.deadlines.HasDeadline`)."""
        for call in [each for each in self.calls.values() if now >= each.deadline]:
            if call.unsent or not call.ended:
                self._reset(call.stream, ErrorCodes.CANCEL)
                self._forget(call.stream)
        watches = [call for call in self.calls.values() if call.watches]
        for call in watches:
            call.look(self._owner.clock.after(self._owner.seconds))
        self._flush()
        if now < self._deadline:
            return
        if self.idle:
            if self._leaving:
                self._transport.close()
            else:
                self.leave()
        elif len(watches) == len(self.calls):
            self._is_there()

    def _is_there(self) -> None:
        """Nothing comes from one who only watches, so he is asked whether he is still there (RFC 9113 §6.7); who has
        not answered the next time is not.
        """
        if self._pinged:
            self._transport.abort()
            return
        self._pinged = True
        self._h2.ping(_PING)
        self._flush()
        self._rest()

    def leave(self) -> None:
        """Ask the caller to begin nothing more here; what is under way goes on, and it closes when that is over."""
        if self._leaving or self._transport.is_closing():
            return
        self._leaving = True
        self._deadline = self._owner.clock.after(LINGER)
        # Before: there are clients that read nothing more after it.
        for call in [each for each in self.calls.values() if each.watches]:
            call.look(self._owner.clock.after(self._owner.seconds))
            call.fail(UNAVAILABLE, "the gateway stops")
        self._transport.write(_GO_AWAY)

    def close_idle(self) -> None:
        """It has had time to leave."""
        if self.idle:
            self._transport.close()

    def cut(self) -> None:
        """End it, whatever is under way."""
        for call in list(self.calls.values()):
            call.fail(UNAVAILABLE, "the gateway stops")
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.clear()
        self._owner.left(self)
