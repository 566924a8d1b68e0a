"""Several workers on one address (rules R4, R12).

The *parent* opens the sockets and forks. A *worker* is a replica with its own connection to the state file. The *desk*
has probes, metrics and the operator's API. A child's *line* to the parent is a socket pair: messages are JSON lines,
and its end means that the other is gone. A *slot* is the place of one child; it is filled again when the child dies.
"""
