"""What is registered of an agent, checked as it comes in: identifier, people, keys, permissions, limits."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from authlib.oauth2 import OAuth2Error
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from auth_server.resource_indicator import check_resource
from auth_server.scopes import DESCRIPTIONS
from delegation.jwks import usable_keys
from delegation.signing_key import ALGORITHM

MAX_SECONDS: Final = 300
"""The most that any agent's tokens live."""
MAX_MINOR: Final = 2**53 - 1
"""The largest number that every reader of JSON takes exactly (RFC 8259 §6)."""
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_PUBLIC: Final = ("kty", "crv", "x", "y", "kid", "use", "alg")
_MAX_KEYS: Final = 8
_MAX_GROUPS: Final = 32


class RegistryError(Exception):
    """The registry does not do what was asked; the text says why."""


class InvalidDetails(RegistryError):
    """What is to be registered is not as it must be; every fault is named."""


def agent_identifier(value: str) -> str:
    """Return an agent's identifier if it is an https URL without user, query or fragment.

    Raises:
        ValueError: it is not.
    """
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or "?" in value or "#" in value:
        raise ValueError("must be an https URL without user, query and fragment")
    return value


def _jwks_uri(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or "#" in value:
        raise ValueError("must be an http or https URL without user and fragment")
    return value


def _audience(value: str) -> str:
    try:
        return check_resource(value)
    except OAuth2Error as error:
        raise ValueError(str(error.description)) from error


def _permission(value: str) -> str:
    if value not in DESCRIPTIONS:
        raise ValueError(f"{value} is none of {', '.join(DESCRIPTIONS)}")
    return value


def public_jwk(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the public members of a JWK that can verify our agents' signatures (RFC 7517 §4, RFC 7518 §6.2).

    Raises:
        ValueError: it is private, has no `kid`, or is of another kind than ES256 takes.
    """
    if _PRIVATE & value.keys():
        raise ValueError("this is a private key: it must never leave its agent; make a new pair")
    if value.get("alg", ALGORITHM) != ALGORITHM or (value.get("kty"), value.get("crv")) != ("EC", "P-256"):
        raise ValueError(f"the key must be for {ALGORITHM}: kty EC, crv P-256")
    kid = value.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= 256 or not (kid.isascii() and kid.isprintable()):
        raise ValueError("the key must have a kid: printable ASCII, 256 characters at most")
    if kid not in usable_keys({"keys": [value]}):
        raise ValueError("the key cannot be used to verify signatures")
    return {name: value[name] for name in _PUBLIC if name in value}


_NOT_PLAIN: Final = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
"""What steers a terminal, or shows a reader another order of the letters than there is (Unicode TR 36 §2)."""
_Text = StringConstraints(strip_whitespace=True, min_length=1, max_length=512, pattern=rf"^[^{_NOT_PLAIN}]+$")
Text = Annotated[str, _Text]
Uri = Annotated[str, StringConstraints(max_length=512, pattern=r"^[!-~]+$")]
AgentId = Annotated[Uri, AfterValidator(agent_identifier)]
JwksUri = Annotated[Uri, AfterValidator(_jwks_uri)]
Audience = Annotated[Uri, AfterValidator(_audience)]
Permission = Annotated[str, AfterValidator(_permission)]
PublicJwk = Annotated[dict[str, Any], AfterValidator(public_jwk)]
PublicJwks = Annotated[list[PublicJwk], Field(max_length=_MAX_KEYS)]
Scopes = Annotated[dict[Audience, Annotated[list[Permission], Field(min_length=1)]], Field(min_length=1)]
Seconds = Annotated[int, Field(ge=1, le=MAX_SECONDS, strict=True)]
_Group = StringConstraints(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")
GroupName = Annotated[str, _Group]
GroupNames = Annotated[list[GroupName], Field(max_length=_MAX_GROUPS)]
GroupList = Annotated[GroupNames, Field(min_length=1)]
CustomerList = Annotated[list[Text], Field(min_length=1)]
MinorUnits = Annotated[int, Field(ge=1, le=MAX_MINOR, strict=True)]


class AgentDetails(BaseModel):
    """All that is registered of an agent but its state.

    `owner` is what customers read, `owner_sub` the member of staff who answers for it, if one is named.
    `scopes` is the most that may be delegated to it, by audience; `max_seconds` the longest life of any token
    that it gets; `customers` and `groups` whom it may act for: who is named, or is in a group that is, and
    None in both for all who allow it. `max_transfer_minor` is the largest transfer that it may ask for, in
    minor units, None for no limit of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent_id: AgentId
    name: Text
    purpose: Text
    owner: Text
    owner_sub: Text | None = None
    jwks_uri: JwksUri | None = None
    jwks: PublicJwks = []
    scopes: Scopes
    max_seconds: Seconds = MAX_SECONDS
    customers: CustomerList | None = None
    groups: GroupList | None = None
    max_transfer_minor: MinorUnits | None = None

    @model_validator(mode="after")
    def _one_kind_of_keys(self) -> Self:
        if bool(self.jwks_uri) == bool(self.jwks):
            raise ValueError("an agent has either a jwks_uri or uploaded keys, at least one")
        if len({key["kid"] for key in self.jwks}) != len(self.jwks):
            raise ValueError("two keys have the same kid")
        return self


def details(**values: Any) -> AgentDetails:
    """Return what is to be registered, checked.

    Raises:
        InvalidDetails: with every fault named.
    """
    try:
        return AgentDetails(**values)
    except ValidationError as error:
        raise InvalidDetails(faults(error)) from error


def faults(error: ValidationError) -> str:
    """Return what is wrong, a line each, in words for people; no value is quoted."""
    said = [
        (".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in error.errors()
    ]
    return "\n".join(f"{where}: {what}" if where else what for where, what in said)
