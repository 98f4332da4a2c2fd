"""The banking app, played with its own key: sign-on, and the tokens that a sign-on yields."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2

from delegation.client_assertion import assertion_parameters
from delegation.signing_key import SigningKey
from tests.stack.deployment import Deployment
from tests.stack.forms import only_form
from tests.stack.secrets_seen import SecretsSeen, Token

_REDIRECTS = frozenset({302, 303})


class BankingApp:
    """A client of the authorization server that signs customers on."""

    def __init__(
        self, deployment: Deployment, key: SigningKey, http: httpx2.Client, seen: SecretsSeen
    ) -> None:
        self.deployment = deployment
        self.http = http
        self.seen = seen
        self._key = key

    def sign_on(self, customer: str, *permissions: str) -> "SignedOn":
        """Sign a customer on who allows the assistant just these permissions; none: no assistant."""
        with httpx2.Client() as browser:
            return self.sign_on_with(browser, customer, *permissions)

    def sign_on_with(self, browser: httpx2.Client, customer: str, *permissions: str) -> "SignedOn":
        """Sign on in a browser that keeps its cookies afterwards."""
        verifier, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
        url = self.authorization_url(verifier, nonce=nonce, prompt="login consent")
        page = browser.get(url)
        form = only_form(page)
        page = form.send(browser, username=customer, password=self.deployment.password)
        page = browser.get(_target(page))
        for name in ("auth_session", "auth_csrf"):
            self.seen.secret(browser.cookies[name])
        consent = only_form(page)
        ticked = {f"allow:{permission}": "on" for permission in permissions}
        assert ticked.keys() <= consent.choices, f"the consent page offers only {consent.choices}"
        decision = "allow" if permissions else "decline"
        answer = consent.send(browser, decision=decision, **ticked)
        return self.redeem(authorization_response(answer), verifier)

    def authorization_url(self, code_verifier: str, *, nonce: str, prompt: str) -> str:
        """Return an authorization request as the banking app makes it (RFC 6749, 7636, 8707)."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest())
        deployment = self.deployment
        parameters = [
            ("response_type", "code"),
            ("client_id", deployment.app_id),
            ("redirect_uri", deployment.redirect_uri),
            ("scope", deployment.scope),
            ("state", secrets.token_urlsafe(16)),
            ("nonce", nonce),
            ("prompt", prompt),
            ("code_challenge", challenge.rstrip(b"=").decode()),
            ("code_challenge_method", "S256"),
            *(("resource", name) for name in (deployment.agent_id, deployment.audience, deployment.issuer)),
        ]
        return f"{deployment.authorization_endpoint}?{urlencode(parameters)}"

    def redeem(self, response: Mapping[str, str], code_verifier: str) -> "SignedOn":
        """Exchange the code of an authorization response for the app token and what comes with it."""
        answer = self.token_request(
            grant_type="authorization_code",
            code=self.seen.secret(response["code"]),
            code_verifier=code_verifier,
            redirect_uri=self.deployment.redirect_uri,
            resource=self.deployment.audience,
        )
        assert answer.status_code == 200, answer.json().get("error_description")
        return SignedOn(self, answer)

    def token_request(self, **parameters: str) -> httpx2.Response:
        """Send a token request with this client's authentication (RFC 7523)."""
        return self.http.post(self.deployment.token_endpoint, data=parameters | self.authentication())

    def authentication(self) -> dict[str, str]:
        """Return the parameters that authenticate this client once."""
        return assertion_parameters(self._key, self.deployment.app_id, self.deployment.issuer)


class SignedOn:
    """What the banking app holds of one signed-on customer."""

    def __init__(self, app: BankingApp, answer: httpx2.Response) -> None:
        self._app = app
        body = answer.json()
        self.app_token: Token = app.seen.token(body["access_token"])
        self.id_token: Token = app.seen.token(body["id_token"])
        self._refresh_token = app.seen.secret(body["refresh_token"])

    def refresh(self, resource: str) -> httpx2.Response:
        """Ask for a token for one resource; the refresh token is spent and replaced."""
        answer = self._app.token_request(
            grant_type="refresh_token", refresh_token=self._refresh_token, resource=resource
        )
        if answer.status_code == 200:
            self._refresh_token = self._app.seen.secret(answer.json()["refresh_token"])
        return answer

    def token_for(self, resource: str) -> Token:
        """Return a new access token for one resource."""
        answer = self.refresh(resource)
        assert answer.status_code == 200, answer.json()["error"]
        return self._app.seen.token(answer.json()["access_token"])

    def subject_token(self) -> Token:
        """Return the token that is handed to the agent."""
        return self.token_for(self._app.deployment.agent_id)

    def issuer_token(self) -> Token:
        """Return the token for the authorization server's own interfaces."""
        return self.token_for(self._app.deployment.issuer)


def authorization_response(redirect: httpx2.Response) -> dict[str, str]:
    """Return the parameters with which the browser is sent back to the client."""
    return dict(parse_qsl(urlsplit(_target(redirect)).query))


def _target(redirect: httpx2.Response) -> str:
    assert redirect.status_code in _REDIRECTS, (
        f"{redirect.request.url.path} answered {redirect.status_code}, no redirect"
    )
    return str(redirect.request.url.join(redirect.headers["Location"]))
