"""The two that verify tokens for themselves: the gateway, and the account API asked directly."""

from dataclasses import dataclass
from functools import partial

import httpx2

from tests.stack.deployment import Deployment
from tests.stack.secrets_seen import Secret, Token
from tests.stack.waiting import until

SOON_SECONDS = 5.0


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": Secret(f"Bearer {token}")}


@dataclass(frozen=True)
class Doors:
    """The gateway and the account API behind it, each asked by itself."""

    deployment: Deployment
    http: httpx2.Client

    def answers(self, token: Token) -> list[httpx2.Response]:
        urls = (self.deployment.gateway, self.deployment.account_api)
        return [self.http.get(f"{url}/accounts", headers=bearer(token)) for url in urls]

    def serve(self, token: Token) -> bool:
        return [answer.status_code for answer in self.answers(token)] == [200, 200]

    def refuse(self, token: Token) -> bool:
        answers = self.answers(token)
        assert [answer.status_code for answer in answers] == [401, 401]
        return all("The token has ended" in answer.headers["WWW-Authenticate"] for answer in answers)

    def expect_ended(self, *tokens: Token) -> None:
        for token in tokens:
            until(partial(self.refuse, token), "both refuse the token", SOON_SECONDS)
