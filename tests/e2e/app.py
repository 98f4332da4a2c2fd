"""The customers' app at the authorization server under test: it signs them on, and holds what that yields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.e2e.evidence import Fields
from tests.e2e.oauth_client import OAuthClient, changed
from tests.e2e.sign_on import AuthorizationRequest, Browser, response_parameters, sign_on
from tests.e2e.target_file import TargetFile
from tests.e2e.target_reading import secret
from tests.e2e.verdict import UnsoundRun
from tests.e2e.wire import Answer, Wire

if TYPE_CHECKING:
    from tests.e2e.authorization_server import AuthorizationServer


class App:
    """The client `app` of the target file, for targets with `[sign_on]`."""

    def __init__(
        self, file: TargetFile, wire: Wire, server: AuthorizationServer, environment: Mapping[str, str]
    ) -> None:
        self.server = server
        self._file = file
        self._wire = wire
        self._environment = environment

    @property
    def client(self) -> OAuthClient:
        """Return the client, and how it authenticates."""
        return self.server.clients["app"]

    def sign_on(self, customer: str = "", allow: Fields | None = None) -> SignedOn:
        """Sign a customer on in a new browser; `allow` are the boxes to tick at the consent, None all."""
        section = self._file.sign_on
        assert section
        request = self.authorization_request()
        browser = Browser(self._wire)
        answer = self.send_authorization_request(browser, request, customer or section.customer, allow)
        return self.redeem(browser, request, response_parameters(answer))

    def authorization_request(self) -> AuthorizationRequest:
        """Make the app's authorization request."""
        section, subject = self._file.sign_on, self._file.subject_token
        assert section
        assert subject
        resources = [one for one in (subject.resource, section.app_resource) if one]
        if self.server.section.grants_endpoint or self.server.section.records_endpoint:
            resources.append(self.server.issuer)
        app = self.client.client_id
        return AuthorizationRequest.make(app, section.redirect_uri, section.scope, resources)

    def send_authorization_request(
        self, browser: Browser, request: AuthorizationRequest, customer: str = "", allow: Fields | None = None
    ) -> Answer:
        """Take a customer through the pages; return the redirect to the client."""
        section = self._file.sign_on
        assert section
        password = secret(section.password_env, self._environment, "the customers' password")
        url = request.url(self.server.endpoint("authorization_endpoint"))
        return sign_on(browser, url, request.redirect_uri, customer or section.customer, password, allow)

    def redeem(
        self, browser: Browser, request: AuthorizationRequest, response: Mapping[str, str]
    ) -> SignedOn:
        """Exchange the code of an authorization response.

        Raises:
            UnsoundRun: the code is missing or refused.
        """
        answer = self.server.token(self.code_form(request, response), self.client)
        if not answer.is_success or "access_token" not in answer.json():
            raise UnsoundRun(f"sign-on failed: the authorization code was refused with {answer}")
        return SignedOn(self, browser, answer.json())

    def code_form(
        self, request: AuthorizationRequest, response: Mapping[str, str], **changes: str | None
    ) -> list[tuple[str, str]]:
        """Return the parameters with which the app redeems a code."""
        section = self._file.sign_on
        assert section
        if "code" not in response:
            raise UnsoundRun(f"sign-on failed: the client got no code but {response.get('error', 'nothing')}")
        form = [
            ("grant_type", "authorization_code"),
            ("code", response["code"]),
            ("redirect_uri", request.redirect_uri),
            ("code_verifier", request.code_verifier),
        ]
        if section.app_resource:
            form.append(("resource", section.app_resource))
        return changed(form, **changes)


class SignedOn:
    """A customer who is signed on: the browser, and what the app has of it."""

    def __init__(self, app: App, browser: Browser, first: dict[str, Any]) -> None:
        self._app = app
        self.browser = browser
        self.access_token: str = first["access_token"]
        self.id_token: str = first.get("id_token", "")
        self.refresh_token: str = first.get("refresh_token", "")

    def token_for(self, resource: str | None, scope: str = "") -> str:
        """Return an access token for a resource, with a narrower scope if asked.

        Raises:
            UnsoundRun: it was refused.
        """
        answer = self.refresh(resource, scope)
        if not answer.is_success:
            raise UnsoundRun(f"sign-on failed: the app was refused a token for {resource}: {answer}")
        token = answer.json().get("access_token")
        if not isinstance(token, str):
            raise UnsoundRun(f"sign-on failed: the app got no token for {resource}: {answer}")
        return token

    def refresh(self, resource: str | None, scope: str = "") -> Answer:
        """Ask for a token for a resource."""
        form = [("grant_type", "refresh_token"), ("refresh_token", self.refresh_token)]
        form += [("resource", resource)] if resource else []
        form += [("scope", scope)] if scope else []
        answer = self._app.server.token(form, self._app.client)
        self.refresh_token = answer.json().get("refresh_token", self.refresh_token)
        return answer
