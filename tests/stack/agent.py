"""The agent, played with its own key: actor token and token exchange."""

import httpx2

from delegation.client_assertion import assertion_parameters
from delegation.signing_key import SigningKey
from delegation.token_exchange import ACCESS_TOKEN_TYPE, GRANT_TYPE
from tests.stack.deployment import Deployment
from tests.stack.secrets_seen import SecretsSeen, Token


class Agent:
    """A client of the authorization server that acts for customers."""

    def __init__(
        self, deployment: Deployment, key: SigningKey, http: httpx2.Client, seen: SecretsSeen
    ) -> None:
        self._deployment = deployment
        self._key = key
        self._http = http
        self._seen = seen

    def actor_token(self) -> Token:
        """Return a new token of the agent's own (RFC 6749 §4.4)."""
        answer = self._token_request(grant_type="client_credentials")
        assert answer.status_code == 200, answer.json()["error"]
        return self._seen.token(answer.json()["access_token"])

    def exchange(self, subject_token: str, scope: str) -> httpx2.Response:
        """Ask for a delegation token for the resource (RFC 8693 §2.1)."""
        return self._token_request(
            grant_type=GRANT_TYPE,
            subject_token=subject_token,
            subject_token_type=ACCESS_TOKEN_TYPE,
            actor_token=self.actor_token(),
            actor_token_type=ACCESS_TOKEN_TYPE,
            resource=self._deployment.audience,
            scope=scope,
        )

    def delegation_token(self, subject_token: str, scope: str) -> Token:
        """Return a new delegation token for the resource."""
        answer = self.exchange(subject_token, scope)
        assert answer.status_code == 200, answer.json()
        return self._seen.token(answer.json()["access_token"])

    def _token_request(self, **parameters: str) -> httpx2.Response:
        return self._http.post(self._deployment.token_endpoint, data=parameters | self.authentication())

    def authentication(self) -> dict[str, str]:
        """Return the parameters that authenticate this client once."""
        return assertion_parameters(self._key, self._deployment.agent_id, self._deployment.issuer)
