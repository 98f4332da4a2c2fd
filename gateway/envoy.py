"""A policy as a configuration of Envoy: `python -m gateway policy export --format envoy`."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.envoy_filters import DECISION_SERVICE, ISSUER_KEYS, filters, none_of_them
from gateway.metadata import WELL_KNOWN
from gateway.policy import Policy
from gateway.response_headers import OURS
from gateway.settings import Settings

_RESOURCE: Final = "resource"
_PUBLISHED: Final = (WELL_KNOWN, "/openapi.json", "/jwks.json", "/healthz", "/readyz")
"""What the decision service tells everybody; who calls Envoy finds it at the same paths as at the gateway."""

_MANAGER: Final = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_HTTP: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_TLS: Final = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_IDLE_SECONDS: Final = 4
"""Less than the time after which servers close an idle connection: a call must not meet one just closing."""

_AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"


def envoy_configuration(
    policy: Policy,
    settings: Settings,
    listen: tuple[str, int],
    decision_service: str,
    actor_header: str | None,
) -> dict[str, Any]:
    """Return the configuration of an Envoy at `listen` that asks the decision service at an origin."""
    address = {"socket_address": {"address": listen[0], "port_value": listen[1]}}
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": _typed(_MANAGER, _connection_manager(policy, settings, actor_header)),
    }
    connect = settings.upstream_connect_timeout_seconds
    clusters = [
        _cluster(_RESOURCE, settings.upstream_url, connect, settings.upstream_max_connections),
        _cluster(DECISION_SERVICE, decision_service, connect),
        _cluster(ISSUER_KEYS, settings.jwks_uri, connect),
    ]
    listener = {"name": "gateway", "address": address, "filter_chains": [{"filters": [manager]}]}
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def _connection_manager(policy: Policy, settings: Settings, actor_header: str | None) -> dict[str, Any]:
    published = {
        "match": {"safe_regex": {"regex": "|".join(map(re.escape, _PUBLISHED))}},
        "route": {"cluster": DECISION_SERVICE},
        "typed_per_filter_config": none_of_them(),
    }
    silence = f"{settings.upstream_read_timeout_seconds}s"
    to_resource = {
        "match": {"prefix": "/"},
        # An answer may go on as long as it keeps coming.
        "route": {"cluster": _RESOURCE, "timeout": "0s", "idle_timeout": silence},
        "request_headers_to_remove": ["x-forwarded-proto"],
        "response_headers_to_remove": sorted(name.decode() for name in OURS),
    }
    host = {"name": "everywhere", "domains": ["*"], "routes": [published, to_resource]}
    return {
        "stat_prefix": "gateway",
        "codec_type": "HTTP1",
        # The path that is judged is the path that is sent on, byte for byte.
        "normalize_path": False,
        "merge_slashes": False,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "generate_request_id": False,
        "server_header_transformation": "PASS_THROUGH",
        "max_request_headers_kb": 64,
        "request_headers_timeout": f"{settings.held_body_seconds}s",
        "request_timeout": f"{settings.held_body_seconds}s",
        "route_config": {"name": "gateway", "virtual_hosts": [host]},
        "http_filters": filters(policy, settings, actor_header),
    }


def _cluster(
    name: str, address: str, connect_seconds: float, max_connections: int | None = None
) -> dict[str, Any]:
    url = urlsplit(address)
    port = url.port or (443 if url.scheme == "https" else 80)
    endpoint = {"address": {"socket_address": {"address": url.hostname, "port_value": port}}}
    idle = {"common_http_protocol_options": {"idle_timeout": f"{_IDLE_SECONDS}s"}}
    protocol = _typed(_HTTP, idle | {"explicit_http_config": {"http_protocol_options": {}}})
    cluster: dict[str, Any] = {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": f"{connect_seconds}s",
        "typed_extension_protocol_options": {_HTTP: protocol},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }
    if max_connections:
        cluster["circuit_breakers"] = {"thresholds": [{"max_connections": max_connections}]}
    if url.scheme == "https":
        names = [{"san_type": "DNS", "matcher": {"exact": url.hostname}}]
        context = {"trusted_ca": {"filename": _AUTHORITIES}, "match_typed_subject_alt_names": names}
        tls = _typed(_TLS, {"sni": url.hostname, "common_tls_context": {"validation_context": context}})
        cluster["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": tls}
    return cluster


def _typed(kind: str, configuration: dict[str, Any]) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/{kind}", **configuration}
