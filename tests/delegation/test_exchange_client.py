"""The agent's side of a token exchange: what it sends, keeps, and makes of any answer (RFC 8693)."""

from collections.abc import Iterator
from urllib.parse import parse_qs

import httpx2
import jwt
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from delegation.oauth_error import OAuthError
from delegation.scope import Scope
from delegation.signing_key import SigningKey
from delegation.token_exchange import ACCESS_TOKEN_TYPE, GRANT_TYPE, TokenExchangeClient
from delegation.trace import start_trace
from tests.clock import SetClock
from tests.issuer import ACCOUNT_API, AGENT
from tests.serving import serve

pytestmark = pytest.mark.asyncio
ISSUER = "http://localhost:8502"
KEY = SigningKey.generate()


class TokenEndpoint:
    """Notes what it is sent, and answers whatever a test wants, right or wrong."""

    def __init__(self) -> None:
        self.url = ""
        self.forms: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Response | None = None

    async def __call__(self, request: Request) -> Response:
        form = {n: v for n, [v] in parse_qs((await request.body()).decode(), strict_parsing=True).items()}
        self.forms.append(form)
        self.headers.append(dict(request.headers))
        if self.answer is not None and form["grant_type"] == GRANT_TYPE:
            return self.answer
        body = {"token_type": "Bearer", "expires_in": 300, "access_token": f"token-{len(self.forms)}"}
        return JSONResponse(body | {"scope": form.get("scope", "all")})


@pytest.fixture(scope="module")
def served_endpoint() -> Iterator[TokenEndpoint]:
    noted = TokenEndpoint()
    with serve(Starlette(routes=[Route("/token", noted.__call__, methods=["POST"])])) as url:
        noted.url = f"{url}/token"
        yield noted


@pytest.fixture
def endpoint(served_endpoint: TokenEndpoint) -> TokenEndpoint:
    """The token endpoint, with nothing noted yet."""
    served_endpoint.forms, served_endpoint.headers, served_endpoint.answer = [], [], None
    return served_endpoint


@pytest.fixture
def client(endpoint: TokenEndpoint, http: httpx2.AsyncClient, clock: SetClock) -> TokenExchangeClient:
    return TokenExchangeClient(endpoint.url, ISSUER, AGENT, KEY, http, clock)


async def exchange(client: TokenExchangeClient) -> object:
    return await client.exchange("the-subject-token", ACCOUNT_API, Scope({"b", "a"}))


async def test_an_exchange_sends_both_tokens_each_with_its_type(
    client: TokenExchangeClient, endpoint: TokenEndpoint, clock: SetClock
) -> None:
    trace = start_trace()
    issued = await client.exchange("the-subject-token", ACCOUNT_API, Scope({"b", "a"}))
    assert (issued.access_token, str(issued.scope)) == ("token-2", "a b")
    assert (issued.expires_at - clock.now).seconds == 300
    first, second = endpoint.forms
    assert first["grant_type"] == "client_credentials"
    assertion = second.pop("client_assertion")
    assert second == {
        "client_id": AGENT,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "grant_type": GRANT_TYPE,
        "subject_token": "the-subject-token",
        "subject_token_type": ACCESS_TOKEN_TYPE,
        "actor_token": "token-1",
        "actor_token_type": ACCESS_TOKEN_TYPE,
        "resource": ACCOUNT_API,
        "scope": "a b",
    }
    assert endpoint.headers[1]["traceparent"] == trace.traceparent
    claims = jwt.decode(assertion, options={"verify_signature": False})
    assert claims.pop("jti")
    now = int(clock.now.timestamp())
    assert claims == {"iss": AGENT, "sub": AGENT, "aud": ISSUER, "iat": now, "exp": now + 60}


async def test_each_request_has_an_assertion_of_its_own(
    client: TokenExchangeClient, endpoint: TokenEndpoint
) -> None:
    await exchange(client)
    await exchange(client)
    assert len({form["client_assertion"] for form in endpoint.forms}) == 3


async def test_the_actor_token_is_kept_until_shortly_before_its_end(
    client: TokenExchangeClient, clock: SetClock
) -> None:
    first = await client.actor_token()
    clock.forward(seconds=270)
    assert await client.actor_token() is first
    clock.forward(seconds=1)
    assert await client.actor_token() is not first


async def test_after_a_refusal_the_next_exchange_begins_with_a_new_actor_token(
    client: TokenExchangeClient, endpoint: TokenEndpoint
) -> None:
    endpoint.answer = JSONResponse({"error": "invalid_request", "error_description": "no"}, 400)
    with pytest.raises(OAuthError):
        await exchange(client)
    endpoint.answer = None
    await exchange(client)
    assert [form["grant_type"] for form in endpoint.forms] == ["client_credentials", GRANT_TYPE] * 2


async def test_a_refusal_comes_with_its_code_and_description(
    client: TokenExchangeClient, endpoint: TokenEndpoint
) -> None:
    endpoint.answer = JSONResponse({"error": "invalid_scope", "error_description": "not this one"}, 400)
    with pytest.raises(OAuthError) as refusal:
        await exchange(client)
    assert (refusal.value.error, refusal.value.description, refusal.value.status) == (
        "invalid_scope",
        "not this one",
        400,
    )


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Response("not JSON"), id="no JSON"),
        pytest.param(Response(b"\xff"), id="no text"),
        pytest.param(Response("[" * 60_000), id="JSON without end"),
        pytest.param(JSONResponse([]), id="a list"),
        pytest.param(JSONResponse({}), id="an empty object"),
        pytest.param(Response(status_code=500), id="a fault"),
        pytest.param(JSONResponse({"error": 7}, 400), id="an error that is a number"),
        pytest.param(Response(status_code=307, headers={"location": "/elsewhere"}), id="a redirect"),
    ]
    + [
        pytest.param(
            JSONResponse({"access_token": "t", "token_type": "Bearer", "expires_in": 300} | changes),
            id=f"{changes}",
        )
        for changes in (
            {"access_token": 7},
            {"token_type": "DPoP"},
            {"token_type": None},
            {"expires_in": "300"},
            {"expires_in": True},
            {"expires_in": -1},
            {"expires_in": None},
            {"scope": ["a"]},
            {"scope": 'a"b'},
        )
    ],
)
async def test_an_answer_of_no_use_is_temporarily_unavailable(
    client: TokenExchangeClient, endpoint: TokenEndpoint, answer: Response
) -> None:
    endpoint.answer = answer
    with pytest.raises(OAuthError) as refusal:
        await exchange(client)
    assert refusal.value.error == "temporarily_unavailable"


async def test_no_answer_is_temporarily_unavailable(http: httpx2.AsyncClient) -> None:
    client = TokenExchangeClient("http://127.0.0.1:1/token", ISSUER, AGENT, KEY, http)
    with pytest.raises(OAuthError) as refusal:
        await client.actor_token()
    assert (refusal.value.error, refusal.value.status) == ("temporarily_unavailable", 0)


async def test_an_answer_without_scope_means_the_scope_asked_for(
    client: TokenExchangeClient, endpoint: TokenEndpoint
) -> None:
    endpoint.answer = JSONResponse({"access_token": "t", "token_type": "bearer", "expires_in": 10**9})
    issued = await client.exchange("s", ACCOUNT_API, Scope({"a"}))
    assert issued.scope == Scope({"a"})


async def test_an_issued_token_shows_nothing_of_itself(client: TokenExchangeClient) -> None:
    issued = await client.actor_token()
    assert issued.access_token not in repr(issued)
    assert issued.access_token not in f"{issued}"
