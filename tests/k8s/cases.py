"""Values of the chart: what somebody would write, in every combination of the choices that it has."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from tests.config.conftest import SOUND

Values = Mapping[str, Any]

CONFIG: Values = {
    **{name: SOUND[name] for name in ("public_url", "upstreams", "logout")},
    # The chart says itself where the client's secret is.
    "provider": {name: said for name, said in SOUND["provider"].items() if name != "client_secret_file"}
    | {"identity_provider": "Okta"},
    "trusted_proxies": ["10.0.0.0/8"],
    "limits": {"body": 10_485_760},
}
BEGUN: Values = {"config": CONFIG, "secrets": {"existingSecret": "spa-secrets"}}

MODES: Mapping[str, Values] = {
    "sidecar": {
        "application": {"containers": [{"name": "application", "image": "registry.example.com/spa:1"}]}
    },
    "standalone": {"mode": "standalone", "application": {"podSelector": {"app": "spa"}}},
}
STATES: Mapping[str, Values] = {
    "sqlite": {},
    "redis": {
        "state": {"kind": "redis", "redis": {"url": "rediss://gateway@redis.example.com:6380/0"}},
        "replicas": 2,
    },
}
EVERYTHING: Values = {
    "image": {"digest": f"sha256:{'0' * 64}", "pullSecrets": ["registry"]},
    "workers": 2,
    "drain": {"accept": 25, "finish": 60},
    "service": {"type": "LoadBalancer", "port": 443, "annotations": {"a": "b"}},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a": "b"}},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "web", "namespace": "infrastructure"}]},
    "networkPolicy": {"from": [{"podSelector": {"matchLabels": {"app": "ingress"}}}]},
    "monitoring": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    },
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "web"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "web", "operator": "Exists"}],
}
SINGLE: Mapping[str, Values] = {
    "nothing": {},
    "everything": EVERYTHING,
    "no policy": {"networkPolicy": {"enabled": False}},
    "a public client": {"secrets": {"clientSecret": ""}},
}
OF_A_STATE: Mapping[str, Mapping[str, Values]] = {
    "sqlite": {
        "a claim": {"state": {"sqlite": {"existingClaim": "kept"}}},
        "a class": {"state": {"sqlite": {"storageClassName": "fast", "size": "2Gi"}}},
    },
    "redis": {
        "as many as are needed": {"autoscaling": {"enabled": True}},
        "an authority, nobody asked for a password": {
            "state": {
                "redis": {"url": "rediss://redis.example.com:6380/0", "caKey": "redis-ca", "passwordKey": ""}
            }
        },
    },
}
OF_A_MODE: Mapping[str, Mapping[str, Values]] = {
    "sidecar": {
        "an application with hooks and a volume": {
            "application": {
                "containers": [
                    {
                        "name": "application",
                        "image": "registry.example.com/spa:1",
                        "lifecycle": {"preStop": {"sleep": {"seconds": 40}}},
                        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
                    },
                    {"name": "api", "image": "registry.example.com/api:1"},
                ],
                "volumes": [{"name": "cache", "emptyDir": {}}],
                "stopSeconds": 60,
            }
        }
    },
    "standalone": {},
}


def merged(*values: Values) -> dict[str, Any]:
    """As Helm merges several files: mappings by their keys, later ones winning."""
    whole: dict[str, Any] = {}
    for each in values:
        for key, value in each.items():
            whole[key] = merged(whole.get(key) or {}, value) if isinstance(value, Mapping) else value
    return whole


def combinations() -> dict[str, dict[str, Any]]:
    """All, by what they are."""
    return {
        f"{mode}, {state}: {name}": merged(BEGUN, MODES[mode], STATES[state], more)
        for mode, state in itertools.product(MODES, STATES)
        for name, more in {**SINGLE, **OF_A_STATE[state], **OF_A_MODE[mode]}.items()
    }
