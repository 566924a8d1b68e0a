"""The third pass: what is said of the listener on which Envoy asks over gRPC."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from gateway.config.file_checks import check_authorities, check_pair, check_readable, exposure
from gateway.config.remarks import Remark, Rule, error, rule, warning
from gateway.settings.model import Settings

_AT = ("forward_auth", "grpc")


@rule("forward_auth")
def _grpc(settings: Settings) -> Iterator[Remark]:
    asked = settings.forward_auth
    if asked is None or asked.grpc is None:
        return
    if not any(map(asked.over_grpc, asked.asking)):
        what = "is Envoy's protocol, and no `caller` is envoy"
        yield error(_AT, what, "write `caller: envoy`, or remove it")
    missing = [name for name in ("h2", "google.protobuf") if not _installed(name)]
    if missing:
        what = f"needs {' and '.join(missing)}, not installed here"
        yield error(_AT, what, "install requirements/grpc.txt, or the package with its extra: [grpc]")


@rule("forward_auth")
def _grpc_tls(settings: Settings) -> Iterator[Remark]:
    grpc = settings.forward_auth.grpc if settings.forward_auth is not None else None
    if grpc is None:
        return
    if (grpc.cert_file is None) != (grpc.key_file is None):
        given, other = ("cert_file", "key_file") if grpc.key_file is None else ("key_file", "cert_file")
        fix = f"add forward_auth.grpc.{other}, or remove both"
        yield error((*_AT, given), f"needs `{other}` beside it", fix)
    elif grpc.cert_file is not None and grpc.key_file is not None:
        found = list(check_readable((*_AT, "cert_file"), grpc.cert_file, marker="CERTIFICATE"))
        found += check_readable((*_AT, "key_file"), grpc.key_file, marker="PRIVATE KEY")
        yield from found or check_pair((*_AT, "key_file"), grpc.cert_file, grpc.key_file)
        yield from exposure((*_AT, "key_file"), grpc.key_file)
    elif not grpc.listen.is_loopback:
        what = "is plain, so everybody's cookies go over the network as they are"
        fix = "add cert_file and key_file, or listen on 127.0.0.1 beside Envoy"
        yield warning((*_AT, "listen"), what, fix)
    if grpc.client_ca_file is None:
        return
    yield from check_authorities((*_AT, "client_ca_file"), grpc.client_ca_file)
    if grpc.cert_file is None:
        what = "means nothing without TLS: nobody is asked for a certificate"
        yield error((*_AT, "client_ca_file"), what, "add cert_file and key_file, or remove it")


def _installed(name: str) -> bool:
    """Without importing it."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package above
        return False


RULES = tuple(each for each in list(vars().values()) if isinstance(each, Rule))
