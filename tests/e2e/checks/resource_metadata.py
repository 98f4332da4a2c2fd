"""Protected resource metadata (RFC 9728)."""

from urllib.parse import urlsplit

from tests.e2e.check import check
from tests.e2e.resource import WELL_KNOWN
from tests.e2e.target import Target


@check("RS-63")
def resource_is_the_identifier_that_the_metadata_was_found_under(target: Target) -> None:
    """Compare resource with the address into which the well-known path was inserted.

    An address that is a host alone may be written with or without its slash: both lead to the same metadata.
    """
    resource, expect = target.resource, target.expect
    answer = target.wire.get(resource.metadata_url)
    expect.accepted(answer, f"a request for {resource.metadata_url}")
    metadata = answer.json()
    identifier = resource.section.identifier or _identifier(resource.metadata_url)
    found = metadata.get("resource")
    right = {identifier} if urlsplit(identifier).path else {identifier, f"{identifier}/"}
    expect.that("resource", f"to be {identifier}", found, holds=isinstance(found, str) and found in right)
    servers = metadata.get("authorization_servers", [])
    expect.that("authorization_servers", "to be a list of issuers", servers, holds=isinstance(servers, list))


def _identifier(metadata_url: str) -> str:
    """Return the resource identifier that a metadata address was made from (RFC 9728 §3.1)."""
    parts = urlsplit(metadata_url)
    return parts._replace(path=parts.path.replace(WELL_KNOWN, "", 1), fragment="").geturl()
