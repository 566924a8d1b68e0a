"""What an idle, gated WebSocket costs this gateway in memory."""

from __future__ import annotations

import subprocess
import sys

from tests.bench.cases import CASES
from tests.bench.measure import cookie_of, echo_command
from tests.bench.peers.peer import Peer
from tests.bench.person import Person
from tests.bench.stand import LOAD_CORE, resident_bytes

CONNECTIONS = 400
NAME = "this gateway, access log off"


async def memory_per_websocket(peers: list[Peer], people: dict[str, Person]) -> float:
    """Bytes of one more idle tunnel, over some hundred that are open at once; 0 when the gateway takes no part.

    A first batch is opened and closed before, so that memory which is only taken once does not count.
    """
    peer = next((each for each in peers if each.name == NAME), None)
    if peer is None:
        return 0.0
    case = next(case for case in CASES if case.mode == "echo")
    headers = case.headers(peer, cookie_of(people[NAME], peer))
    command = ["taskset", "-c", str(LOAD_CORE), *echo_command(peer, CONNECTIONS, 0, headers), "--hold"]
    few = ["taskset", "-c", str(LOAD_CORE), *echo_command(peer, 8, 0, headers), "--hold"]
    before = held(few, peer)
    return (held(command, peer) - before) / (CONNECTIONS - 8)


def held(command: list[str], peer: Peer) -> int:
    """Resident bytes of the peer while the command holds its connections open."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        if holder.stdout.readline() != "open\n":
            sys.exit("bench: WebSockets could not be opened")
        size = resident_bytes(peer.pids())
        holder.stdin.close()
        holder.wait(20)
    return size
