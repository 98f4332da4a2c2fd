"""Who calls: the one token of a request, verified, or the refusal for want of it."""

from starlette.types import Scope

from delegation.bearer import BearerError, bearer_token
from delegation.token import AccessToken
from delegation.unverifiable import Unverifiable
from delegation.verification import TokenVerifier
from gateway.decision import Deny
from gateway.policy_file import UnsoundPolicy
from gateway.refusals import deny_token, deny_unverifiable
from gateway.request_headers import headers_of, query_parameters


async def authenticated(scope: Scope, verifier: TokenVerifier) -> AccessToken:
    """Return the verified token of an HTTP request.

    Raises:
        BearerError: it has none that is good here.
        Unverifiable: nobody can tell now.
    """
    authorization = headers_of(scope).getlist("authorization")
    encoded = bearer_token(authorization, query_parameters(scope["query_string"]))
    return await verifier.verify(encoded)


def unauthenticated(error: BearerError | Unverifiable | UnsoundPolicy) -> Deny:
    """Return the refusal of a request whose caller is not known."""
    if isinstance(error, BearerError):
        return deny_token(error)
    return deny_unverifiable(error.lack if isinstance(error, Unverifiable) else "The policy")
