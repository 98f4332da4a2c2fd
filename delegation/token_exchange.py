"""The client's side of OAuth 2.0 Token Exchange (RFC 8693 §2): steps 3 and 4 as the agent sees them."""

from typing import Final

from delegation.client_credentials import ClientCredentials, IssuedToken
from delegation.oauth_error import OAuthError
from delegation.scope import Scope

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - an identifier


class TokenExchangeClient(ClientCredentials):
    """An agent at the token endpoint: gets its actor token, and delegation tokens with it."""

    async def actor_token(self) -> IssuedToken:
        """Return the agent's own token, which RFC 8693 §2.1 calls the actor token.

        Raises:
            OAuthError: the authorization server refused or did not answer.
        """
        return await self.own_token()

    async def exchange(self, subject_token: str, resource: str, scope: Scope) -> IssuedToken:
        """Exchange the customer's subject token for a delegation token for one resource (RFC 8693 §2.1).

        Raises:
            OAuthError: the authorization server refused or did not answer.
        """
        actor_token = await self.actor_token()
        try:
            return await self.request(
                {
                    "grant_type": GRANT_TYPE,
                    "subject_token": subject_token,
                    "subject_token_type": ACCESS_TOKEN_TYPE,
                    "actor_token": actor_token.access_token,
                    "actor_token_type": ACCESS_TOKEN_TYPE,
                    "resource": resource,
                    "scope": str(scope),
                }
            )
        except OAuthError:
            # The refusal may be of the actor token (the server has new keys, say): get a new one next time.
            self.forget_own_token()
            raise
