"""What an idle, gated WebSocket costs this gateway in memory."""

from __future__ import annotations

import subprocess
import sys

from tests.bench.cases import CASES
from tests.bench.cores import Cores
from tests.bench.measure import cookie_of, echo_command
from tests.bench.peers.peer import Peer
from tests.bench.person import Person
from tests.bench.usage import memory

FEW, MANY = 8, 400


def memory_per_websocket(peer: Peer, person: Person, cores: Cores) -> float:
    """Bytes of one more idle tunnel, over some hundred that are open at once.

    The gateway is one that has served nobody else: what earlier requests have left free would hide a part. A few
    tunnels are there before, so that memory which is only taken once does not count.
    """
    case = next(case for case in CASES if case.mode == "echo")
    headers = case.headers(peer, cookie_of(person, peer))
    few, many = (held(echo_command(peer.port, count, 0, headers), peer, cores) for count in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def held(command: list[str], peer: Peer, cores: Cores) -> int:
    """Resident bytes of the peer while the command holds its connections open."""
    pinned = ["taskset", "-c", str(cores.load), *command, "--hold"]
    with subprocess.Popen(pinned, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        if holder.stdout.readline() != "open\n":
            sys.exit("bench: WebSockets could not be opened")
        size = memory(peer.pids()).total
        holder.stdin.close()
        holder.wait(20)
    return size
