"""Each service's settings for a run without containers: as in compose.yaml, but all on localhost."""

from collections.abc import Mapping
from typing import Final

SERVICES: Final = ("banking_app", "auth_server", "gateway", "chatbot", "account_api")
"""In the order of their ports, the first at PORT_BASE."""

_DEFAULT_PORT_BASE: Final = 8501
_FROM_THE_SYSTEM: Final = (
    *("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TMPDIR", "TZ"),
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "SSL_CERT_DIR", "SSL_CERT_FILE"),
)
_OF_THE_CHATBOT: Final = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "TOOLS")


class WrongSetting(Exception):
    """A setting that cannot be used, and how to set it."""


def port_base(environment: Mapping[str, str]) -> int:
    """Return PORT_BASE, the port of the first service; it also names the instance.

    Raises:
        WrongSetting: it is not a port number that leaves room for all services.
    """
    return _port(environment, "PORT_BASE", _DEFAULT_PORT_BASE)


def ports(environment: Mapping[str, str]) -> dict[str, int]:
    """Return the port of each service: PORT_BASE and the following, but where `<SERVICE>_PORT` names another.

    Raises:
        WrongSetting: a value is not a port number, or two services would have the same one.
    """
    base = port_base(environment)
    found = {
        service: _port(environment, f"{service.upper()}_PORT", base + offset)
        for offset, service in enumerate(SERVICES)
    }
    for service, port in found.items():
        others = [other for other in found if other != service and found[other] == port]
        if others:
            raise WrongSetting(f"{service} and {others[0]} are both told to use port {port}")
    return found


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name) or str(default)
    if not (value.isascii() and value.isdigit() and 1024 <= int(value) <= 65535 - len(SERVICES)):
        raise WrongSetting(
            f"{name}={value} is not a port number that can be used here: take one from 1024 to 65530"
        )
    return int(value)


def settings(port: Mapping[str, int]) -> dict[str, dict[str, str]]:
    """Return what each service must be told about the others when they listen on these ports of localhost."""
    address = {service: f"http://localhost:{port[service]}" for service in SERVICES}
    auth_server = address["auth_server"]
    issuer = {"ISSUER": auth_server, "JWKS_URI": f"{auth_server}/jwks"}
    events = {
        "TOKEN_ENDPOINT": f"{auth_server}/token",
        "SECURITY_EVENTS_ENDPOINT": f"{auth_server}/events",
        "CHECKPOINTS_ENDPOINT": f"{auth_server}/checkpoints",
    }
    metadata = "/.well-known/oauth-protected-resource"
    return {
        "auth_server": {
            "ISSUER": auth_server,
            "BANKING_APP_URL": address["banking_app"],
            "BANKING_APP_JWKS_URI": f"{address['banking_app']}/jwks.json",
            "AGENT_JWKS_URI": f"{address['chatbot']}/jwks.json",
            "GATEWAY_JWKS_URI": f"{address['gateway']}/jwks.json",
            "ACCOUNT_API_JWKS_URI": f"{address['account_api']}/jwks.json",
            "ACCOUNT_API_ADDRESSES": f"{address['gateway']} {address['gateway']}/mcp",
        },
        "account_api": issuer | events | {"RESOURCE_METADATA_URL": address["account_api"] + metadata},
        "gateway": issuer
        | events
        | {"UPSTREAM_URL": address["account_api"], "RESOURCE_METADATA_URL": address["gateway"] + metadata},
        "chatbot": issuer
        | {
            "TOKEN_ENDPOINT": f"{auth_server}/token",
            "GATEWAY_URL": address["gateway"],
            "MCP_URL": f"{address['gateway']}/mcp",
        },
        "banking_app": issuer
        | {
            "PUBLIC_URL": address["banking_app"],
            "AUTHORIZATION_ENDPOINT": f"{auth_server}/authorize",
            "END_SESSION_ENDPOINT": f"{auth_server}/end-session",
            "TOKEN_ENDPOINT": f"{auth_server}/token",
            "REVOCATION_ENDPOINT": f"{auth_server}/revoke",
            "GRANT_MANAGEMENT_ENDPOINT": f"{auth_server}/grants",
            "AUTH_RECORDS_ENDPOINT": f"{auth_server}/records",
            "ADMINISTRATION_ENDPOINT": f"{auth_server}/admin",
            "AUTH_AUDIT_ENDPOINT": f"{auth_server}/audit",
            "GATEWAY_AUDIT_ENDPOINT": f"{address['gateway']}/audit",
            "ACCOUNT_AUDIT_ENDPOINT": f"{address['account_api']}/audit",
            "CHATBOT_URL": address["chatbot"],
            "ACCOUNT_API_URL": address["account_api"],
        },
    }


def process_environment(
    service: str, of_service: dict[str, str], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return a service's whole environment.

    Of the caller's environment it has what the system needs, model and tools if it is the chatbot, and
    `<SERVICE>_<SETTING>` as its own SETTING. A CLIENT_ID or DATABASE_URL of another project stays outside.
    """
    prefix = f"{service.upper()}_"
    system = {name: environment[name] for name in _FROM_THE_SYSTEM if name in environment}
    chosen = _OF_THE_CHATBOT if service == "chatbot" else ()
    agent = {name: environment[name] for name in chosen if name in environment}
    named = {
        name.removeprefix(prefix): value for name, value in environment.items() if name.startswith(prefix)
    }
    return system | {"NO_PROXY": "localhost,127.0.0.1", "PYTHONUNBUFFERED": "1"} | agent | of_service | named
