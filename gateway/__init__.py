"""An auth gateway in front of a single-page application, made for logging out that really logs out.

The way of a request, by file name::

    web/door/listener.py -> web/gate.py -> web/session/session.py -> web/forward/forwarder.py
         |                       |              |
    core/http/facts.py      core/gate.py   core/session/session.py       the rules behind each stage

A request becomes *facts*, a cookie becomes a *session*; facts, session, policy and revocations give a *verdict*.
Everything up to the verdict is plain synchronous code that takes ``now`` as an argument. Only the edges await:
``idp/`` (the identity provider), ``state/`` (the revocation log) and ``proxy/`` (the upstream connections).
"""

__version__ = "0.1.0"
