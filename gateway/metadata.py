"""Protected resource metadata: where a token for this resource comes from (RFC 9728)."""

from typing import Any, Final

from gateway.policy import Policy

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


def resource_metadata(policy: Policy, issuer: str, metadata_url: str, path: str = "") -> dict[str, Any]:
    """Return the metadata document (RFC 9728 §2) of the whole resource, or of what stands at a path of it.

    `resource` is the address that `metadata_url` belongs to, as §3.3 demands: where a client sends its calls.
    The audience in the token is the resource's own name, which the authorization server gives it.
    """
    return {
        "resource": metadata_url.removesuffix(WELL_KNOWN) + path,
        "resource_name": policy.name,
        "authorization_servers": [issuer],
        "scopes_supported": sorted(policy.scope),
        "bearer_methods_supported": ["header"],
    }
