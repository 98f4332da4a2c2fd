"""Envoy with `jwt_authn` and `rbac`, from the wheel and the configuration that docs/conformance judges.

Changed are addresses, the policy, and what makes it do the same work: `exp` is required, the token goes on to
the resource, and no second copy of its claims.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks.cores import on
from benchmarks.gateway_contender import Gateway, Place, Running
from docs.conformance.envoy.start import FOLDER, ISSUER_PORT, PORT
from docs.conformance.foreign import serving, virtual_environment
from tests.free_ports import free_ports

_UPSTREAM_PORT: Final = 9813
_CACHED_TOKENS: Final = 200_000
_RECORD: Final = {
    "time": "%START_TIME%",
    "decision": "%RESPONSE_CODE_DETAILS%",
    "status": "%RESPONSE_CODE%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(:PATH)%",
    "trace_id": "%REQ(X-REQUEST-ID)%",
} | {
    name: f"%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:{name.replace('.', ':')})%"
    for name in ("sub", "act.sub", "client_id", "aud", "scope", "jti")
}


def configuration(place: Place, port: int, *, cache: bool, access_log: bool) -> dict[str, Any]:
    """Return the whole configuration."""
    text = (FOLDER / "envoy.yaml").read_text()
    issuer_port = int(place.issuer_url.rpartition(":")[2])
    for old, new in ((PORT, port), (ISSUER_PORT, issuer_port), (_UPSTREAM_PORT, place.upstream_port)):
        text = text.replace(str(old), str(new))
    whole: dict[str, Any] = yaml.safe_load(text)
    [connection_manager] = whole["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
    manager = connection_manager["typed_config"]
    jwt_authn, rbac, _router = (filter_["typed_config"] for filter_ in manager["http_filters"])
    bank = jwt_authn["providers"]["bank"]
    bank |= {"issuer": place.issuer, "forward": True, "require_expiration": True}
    del bank["forward_payload_header"]
    if cache:
        bank["jwt_cache_config"] = {"jwt_cache_size": _CACHED_TOKENS}
    if access_log:
        file_access_log = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
        manager["access_log"] = [
            {
                "name": "envoy.access_loggers.file",
                "typed_config": {
                    "@type": file_access_log,
                    "path": str(place.folder / "access.log"),
                    "log_format": {"json_format": _RECORD},
                },
            }
        ]
    rbac["rules"]["policies"] = {
        name: _policy(operation, rbac["rules"]["policies"]["read_balance"])
        for name, operation in place.operations.items()
    }
    return whole


def _policy(operation: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """Return what `rbac` can say of an operation: method, path, actor and scope."""
    path = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(operation["path"]))
    matches = (
        {"header": {"name": ":method", "string_match": {"exact": operation["method"]}}},
        {"url_path": {"path": {"safe_regex": {"regex": path}}}},
    )
    [principal] = like["principals"]
    both = principal["and_ids"]["ids"]
    actor, scope = (dict(one["sourced_metadata"]["metadata_matcher"]) for one in both)
    scope["value"] = {"list_match": {"one_of": {"string_match": {"exact": operation["scope"]}}}}
    ids = [{"sourced_metadata": {"metadata_matcher": matcher}} for matcher in (actor, scope)]
    return {
        "permissions": [{"and_rules": {"rules": list(matches)}}],
        "principals": [{"and_ids": {"ids": ids}}],
    }


@contextmanager
def _start(place: Place, *, cache: bool = False, access_log: bool = False) -> Iterator[Running]:
    [port] = free_ports(1)
    file = place.folder / "envoy.yaml"
    file.write_text(yaml.safe_dump(configuration(place, port, cache=cache, access_log=access_log)))
    command: list[str | Path] = [*on(place.cores), virtual_environment(FOLDER) / "envoy"]
    command += [
        "--use-dynamic-base-id",
        "--log-level",
        "error",
        "--concurrency",
        str(place.workers),
        "--config-path",
        file,
    ]
    with serving(command, place.folder, port) as pid:
        yield Running(port, pid)


WITHOUT_CACHE = Gateway("Envoy, no cache", _start)
WITH_CACHE = Gateway("Envoy, JWT cache", partial(_start, cache=True))
WITH_ACCESS_LOG = Gateway("Envoy, JWT cache, JSON access log", partial(_start, cache=True, access_log=True))
