"""What Envoy checks of a call by the policy: the HTTP filters of the exported configuration, in their order.

1. `lua` drops every field that the gateway would not send on, and tells what Envoy cannot show to the others:
   which fields came twice, or with bytes that are no text.
2. `ext_authz` asks the decision service, and gives its refusals to the caller. It comes first of those that
   refuse, so that callers get the same answers as at the gateway, and each of them has a record.
3. `jwt_authn` and `rbac` have the last word: whatever the service was made to say, no call goes on without
   a token that Envoy has verified for itself, and that has an operation's actor and scopes.
"""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.ext_authz import PREFIX, REPEATED, UNPRINTABLE
from gateway.path_template import SEGMENT, PathTemplate, is_parameter
from gateway.policy import Operation, Policy
from gateway.request_headers import FORWARDED
from gateway.settings import Settings

DECISION_SERVICE: Final = "decision_service"
ISSUER_KEYS: Final = "issuer_keys"
_TYPE: Final = "type.googleapis.com/envoy.extensions.filters.http"
_JWT_AUTHN: Final = "envoy.filters.http.jwt_authn"
_KEYS_SECONDS: Final = 10
"""How long a key that was withdrawn, or one that is new, may be news to Envoy."""

_SKEW_SECONDS: Final = 5
"""How far its clock and the issuer may be apart; the decision service is stricter."""

_MARGIN_SECONDS: Final = 2.0
_QUERY: Final = r"(\?[\x21\x22\x24-\x7E]*)?"
_TYP: Final = r"(?i)(application/)?at\+jwt"
_TO_CALLER: Final = (
    "allow",
    "cache-control",
    "content-type",
    "decision",
    "decision-id",
    "retry-after",
    "www-authenticate",
)
_LUA: Final = """\
-- What goes on to the resource; what the decision service looks at as well; what Envoy finds routes by.
local forwarded = {FORWARDED}
local looked_at = {"content-encoding", "traceparent", "x-forwarded-proto"}
-- Envoy has made one field of these, and sets only a comma between.
local joined = {[":authority"] = "host", ["authorization"] = "authorization",
  ["content-type"] = "content-type", ["user-agent"] = "user-agent"}
local kept = {}
for _, names in ipairs({forwarded, looked_at}) do
  for _, name in ipairs(names) do kept[name] = true end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local dropped, repeated, unprintable = {}, {}, {}
  for name in pairs(headers) do
    if name:sub(1, 1) ~= ":" and not kept[name] then table.insert(dropped, name) end
  end
  for _, name in ipairs(dropped) do headers:remove(name) end
  if headers:getNumValues("idempotency-key") > 1 then table.insert(repeated, "idempotency-key") end
  for field, name in pairs(joined) do
    if ((headers:get(field) or "") .. "."):find(",%S") then table.insert(repeated, name) end
  end
  for _, name in ipairs(forwarded) do
    for number = 0, headers:getNumValues(name) - 1 do
      if headers:getAtIndex(name, number):find("[^\\t\\32-\\126]") then table.insert(unprintable, name) end
    end
  end
  if headers:get(":path"):find("[^\\33-\\126]") then table.insert(unprintable, ":path") end
  if #repeated > 0 then headers:add("REPEATED", table.concat(repeated, " ")) end
  if #unprintable > 0 then headers:add("UNPRINTABLE", table.concat(unprintable, " ")) end
  -- The scheme's name has no case (RFC 9110 §11.1), but for jwt_authn it has.
  local token = (headers:get("authorization") or ""):match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(.*)$")
  if token then headers:replace("authorization", "Bearer " .. token) end
end
"""


def filters(policy: Policy, settings: Settings, actor_header: str | None) -> list[dict[str, Any]]:
    """Return the filters; `actor_header` is one in which the resource is told the outermost `act.sub`."""
    return [
        _filter("lua", "Lua", {"default_source_code": {"inline_string": _lua()}}),
        _filter("ext_authz", "ExtAuthz", _ext_authz(settings)),
        _filter("jwt_authn", "JwtAuthentication", _jwt_authn(policy, settings, actor_header)),
        _filter("rbac", "RBAC", {"rules": {"action": "ALLOW", "policies": _policies(policy)}}),
        _filter("router", "Router", {"suppress_envoy_headers": True}),
    ]


def none_of_them() -> dict[str, Any]:
    """Return what switches the checks off for a route, where the decision service itself is called."""
    return {
        "envoy.filters.http.ext_authz": {
            "@type": f"{_TYPE}.ext_authz.v3.ExtAuthzPerRoute",
            "disabled": True,
        },
        _JWT_AUTHN: {"@type": f"{_TYPE}.jwt_authn.v3.PerRouteConfig", "disabled": True},
        "envoy.filters.http.rbac": {"@type": f"{_TYPE}.rbac.v3.RBACPerRoute"},
    }


def _filter(name: str, kind: str, configuration: dict[str, Any]) -> dict[str, Any]:
    typed = {"@type": f"{_TYPE}.{name}.v3.{kind}", **configuration}
    return {"name": f"envoy.filters.http.{name}", "typed_config": typed}


def _lua() -> str:
    names = "{" + ", ".join(f'"{name}"' for name in FORWARDED) + "}"
    source = _LUA.replace("{FORWARDED}", names)
    return source.replace("REPEATED", REPEATED).replace("UNPRINTABLE", UNPRINTABLE)


def _ext_authz(settings: Settings) -> dict[str, Any]:
    patience = settings.record_wait_seconds + _MARGIN_SECONDS
    server = {"uri": f"http://{DECISION_SERVICE}", "cluster": DECISION_SERVICE, "timeout": f"{patience}s"}
    return {
        "transport_api_version": "V3",
        "failure_mode_allow": False,
        "status_on_error": {"code": "ServiceUnavailable"},
        # A byte more than is allowed: so the service sees that a body is too long, and says so.
        "with_request_body": {
            "max_request_bytes": settings.max_body_bytes + 1,
            "allow_partial_message": True,
        },
        "allowed_headers": {"patterns": [{"safe_regex": {"regex": ".*"}}]},
        "http_service": {
            "server_uri": server,
            "path_prefix": PREFIX.decode(),
            "authorization_response": {
                "allowed_upstream_headers": _exactly("traceparent"),
                "allowed_client_headers": _exactly(*_TO_CALLER),
                "allowed_client_headers_on_success": _exactly("decision", "decision-id"),
            },
        },
    }


def _exactly(*names: str) -> dict[str, Any]:
    return {"patterns": [{"exact": name} for name in names]}


def _jwt_authn(policy: Policy, settings: Settings, actor_header: str | None) -> dict[str, Any]:
    # The cluster knows the address. Here the host is a header only, in which Envoy takes no `_`.
    url = urlsplit(settings.jwks_uri)
    uri = url._replace(netloc=url.netloc.replace("_", "-")).geturl()
    keys = {"uri": uri, "cluster": ISSUER_KEYS, "timeout": "2s"}
    provider: dict[str, Any] = {
        "issuer": settings.issuer,
        "audiences": [policy.audience],
        "require_expiration": True,
        "clock_skew_seconds": _SKEW_SECONDS,
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "forward": True,  # the resource verifies it again, for itself
        "header_in_metadata": "header",
        "payload_in_metadata": "payload",
        "normalize_payload_in_metadata": {"space_delimited_claims": ["scope"]},
        "remote_jwks": {"http_uri": keys, "cache_duration": f"{_KEYS_SECONDS}s", "async_fetch": {}},
    }
    if actor_header:
        provider["claim_to_headers"] = [{"header_name": actor_header, "claim_name": "act.sub"}]
    requires = {"provider_name": "issuer"}
    return {"providers": {"issuer": provider}, "rules": [{"match": {"prefix": "/"}, "requires": requires}]}


def _policies(policy: Policy) -> dict[str, Any]:
    return {
        name: {
            "permissions": [{"and_rules": {"rules": _call(operation, operation.path)}}],
            "principals": [{"and_ids": {"ids": _caller(operation)}}],
        }
        for name, operation in policy.operations.items()
        if operation.path is not None
    }


def _call(operation: Operation, path_template: PathTemplate) -> list[dict[str, Any]]:
    segments = (SEGMENT if is_parameter(one) else re.escape(one) for one in path_template.segments)
    path = "".join(f"/{one}" for one in segments)
    return [
        {"header": {"name": ":method", "string_match": {"exact": operation.method}}},
        {"header": {"name": ":path", "string_match": {"safe_regex": {"regex": f"{path}{_QUERY}"}}}},
    ]


def _caller(operation: Operation) -> list[dict[str, Any]]:
    actors = [{"string_match": {"exact": actor}} for actor in sorted(operation.actors)]
    too_deep = _claim("payload", *["act"] * (operation.max_depth + 1), value={"present_match": True})
    return [
        _claim("header", "typ", value={"string_match": {"safe_regex": {"regex": _TYP}}}),
        {"or_ids": {"ids": [_claim("payload", "act", "sub", value=actor) for actor in actors]}},
        {"not_id": too_deep},
        *(
            _claim("payload", "scope", value={"list_match": {"one_of": {"string_match": {"exact": one}}}})
            for one in sorted(operation.scope)
        ),
    ]


def _claim(*path: str, value: dict[str, Any]) -> dict[str, Any]:
    keys = [{"key": key} for key in path]
    return {"sourced_metadata": {"metadata_matcher": {"filter": _JWT_AUTHN, "path": keys, "value": value}}}
