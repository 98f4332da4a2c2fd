"""The authorization server under test, as the checks see it."""

import os
import time
from collections.abc import Mapping
from typing import Any, Final

from delegation.token_exchange import GRANT_TYPE
from tests.e2e.app import App, SignedOn
from tests.e2e.evidence import Fields
from tests.e2e.minting import Minter
from tests.e2e.oauth_client import OAuthClient, changed
from tests.e2e.program import token_of
from tests.e2e.target_file import ActorTokenFile, SubjectTokenFile, TargetFile
from tests.e2e.target_reading import secret
from tests.e2e.verdict import Failed, UnsoundRun
from tests.e2e.wire import Answer, Wire

_RENEW_AFTER_SECONDS: Final = 60.0
OTHER_AGENT: Final = "https://other-agent.example.net"
"""An agent that nobody knows, for tokens that are minted in its name."""
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"


class AuthorizationServer:
    """Token requests, and the tokens of the legitimate exchange.

    `clients` are by their names in the target file; `app` signs customers on.
    """

    def __init__(
        self,
        file: TargetFile,
        wire: Wire,
        clients: Mapping[str, OAuthClient],
        minter: Minter | None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        assert file.authorization_server
        assert file.exchange
        assert file.subject_token
        self.section = file.authorization_server
        self.exchange_section = file.exchange
        self.clients = clients
        self.agent = clients["agent"]
        self.issuer = self.section.issuer
        self._file = file
        self._wire = wire
        self._minter = minter
        self._environment = environment
        self._metadata: dict[str, Any] | None = None
        self._held: dict[str, tuple[float, str]] = {}
        self._signed_on: dict[str, SignedOn] = {}
        self.app = App(file, wire, self, environment)

    @property
    def metadata_url(self) -> str:
        """Return where the metadata is found (RFC 8414 §3, or OpenID Connect Discovery §4)."""
        return self.section.metadata_url or f"{self.issuer}/.well-known/openid-configuration"

    def metadata(self) -> dict[str, Any]:
        """Return the metadata; empty for a server that the target file says has none."""
        if self._metadata is None:
            self._metadata = {}
            if "metadata" not in self._file.not_offered:
                self._metadata = self._wire.get(self.metadata_url).json()
        return self._metadata

    def endpoint(self, name: str) -> str:
        """Return the address of `token_endpoint` or another: the target file's, else the metadata's.

        Raises:
            UnsoundRun: neither names it.
        """
        address = getattr(self.section, name, None) or self.metadata().get(name)
        if not isinstance(address, str) or not address:
            raise UnsoundRun(
                f"neither the target file nor the metadata at {self.metadata_url} names the {name}; "
                "a server that has none says so in [not_offered]"
            )
        return address

    def token(self, form: Fields, client: OAuthClient | None, headers: Fields = ()) -> Answer:
        """Send a token request; `client` authenticates it, None sends it without authentication."""
        return self.post("token_endpoint", form, client, headers)

    def post(self, endpoint: str, form: Fields, client: OAuthClient | None, headers: Fields = ()) -> Answer:
        """Send a form to an endpoint."""
        parameters, fields = client.credentials() if client else ([], [])
        return self._wire.post_form(self.endpoint(endpoint), [*form, *parameters], [*headers, *fields])

    def exchange(self, client: OAuthClient | None = None, /, **changes: str | list[str] | None) -> Answer:
        """Send the legitimate exchange, some parameters changed: None leaves one out, a list repeats it."""
        return self.token(self.exchange_form(**changes), client or self.agent)

    def exchange_form(self, **changes: str | list[str] | None) -> list[tuple[str, str]]:
        """Return the parameters of the legitimate exchange, some of them changed."""
        section, subject = self.exchange_section, self._file.subject_token
        assert subject
        form = [("grant_type", GRANT_TYPE)]
        if "subject_token" not in changes:
            form.append(("subject_token", self.subject_token()))
        form.append(("subject_token_type", subject.type))
        if self._file.actor_token:
            if "actor_token" not in changes:
                form.append(("actor_token", self.actor_token()))
            form.append(("actor_token_type", self._file.actor_token.type))
        if section.target:
            form.append((section.target_parameter, section.target))
        if section.scope:
            form.append(("scope", section.scope))
        return changed(form, **changes)

    def delegation_token(self, scope: str | None = None) -> str:
        """Return what the legitimate exchange yields.

        Raises:
            Failed: it was refused.
        """
        answer = self.exchange(scope=scope) if scope else self.exchange()
        return issued(answer, "the legitimate exchange")

    def subject_token(self, scope: str | None = None) -> str:
        """Return the subject token of the legitimate exchange, no older than a minute.

        `scope` narrows it where the source can do that (sign-on).
        """
        subject = self._file.subject_token
        assert subject
        wanted = scope or subject.scope
        return self._hold(f"subject {wanted}", lambda: self._subject_token(subject, wanted))

    def mint_subject_token(self, **changes: Any) -> str:
        """Mint a subject token like the legitimate one, with some claims changed; None leaves one out."""
        assert self._minter
        assert self._file.subject_token
        subject = self._file.subject_token
        default = {
            "sub": self._file.sign_on.customer if self._file.sign_on else "customer@example.com",
            "aud": subject.resource or self.agent.client_id,
            "client_id": self.clients["app"].client_id if "app" in self.clients else self.agent.client_id,
            "scope": subject.scope,
            "may_act": {"sub": self.agent.client_id},
        }
        return self._minter.mint(default | subject.claims | changes)

    def actor_token(self) -> str:
        """Return the agent's own token, no older than a minute."""
        section = self._file.actor_token
        assert section
        return self._hold("actor", lambda: self._actor_token(section, self.agent))

    def forget_actor_token(self) -> None:
        """Forget the agent's own token: it may have ended."""
        self._held.pop("actor", None)

    def other_actor_token(self) -> str:
        """Return a good actor token of another agent than ours."""
        if "other_agent" in self.clients:
            section = self._file.actor_token
            assert section
            return self._actor_token(section, self.clients["other_agent"])
        assert self._minter
        claims = {"sub": OTHER_AGENT, "client_id": OTHER_AGENT, "aud": self.issuer}
        return self._minter.mint(claims | {"scope": self.exchange_section.scope})

    def introspect(self, token: str, client: OAuthClient | None = None) -> Answer:
        """Introspect a token as the agent, or as another client (RFC 7662 §2.1)."""
        return self.post("introspection_endpoint", [("token", token)], client or self.agent)

    def revoke(self, token: str, client: OAuthClient | None = None) -> Answer:
        """Revoke a token as the agent, or as another client (RFC 7009 §2.1)."""
        return self.post("revocation_endpoint", [("token", token)], client or self.agent)

    def _subject_token(self, section: SubjectTokenFile, scope: str) -> str:
        match section.source:
            case "sign_on":
                signed_on = self._signed_on.get("customer") or self.app.sign_on()
                self._signed_on["customer"] = signed_on
                return signed_on.token_for(section.resource, scope)
            case "mint":
                return self.mint_subject_token(scope=scope or None)
            case "client_credentials":
                return self._client_credentials(self.clients[section.client], scope, section.resource)
        return self._given(section)

    def _actor_token(self, section: ActorTokenFile, client: OAuthClient) -> str:
        if section.source == "client_credentials":
            return self._client_credentials(client, section.scope, None)
        return self._given(section)

    def _client_credentials(self, client: OAuthClient, scope: str, resource: str | None) -> str:
        form = [("grant_type", "client_credentials")]
        form += [("scope", scope)] if scope else []
        form += [("resource", resource)] if resource else []
        return _legitimate(self.token(form, client), f"the client credentials grant of {client.client_id}")

    def _given(self, section: SubjectTokenFile | ActorTokenFile) -> str:
        if section.source == "environment":
            assert section.token_env
            return secret(section.token_env, self._environment, "a token")
        field = "subject_token.command" if isinstance(section, SubjectTokenFile) else "actor_token.command"
        return token_of(field, section.command, self._environment)

    def _hold(self, name: str, get: Any) -> str:
        now = time.monotonic()
        at, token = self._held.get(name, (0.0, ""))
        if not token or now - at > _RENEW_AFTER_SECONDS:
            token = get()
            self._held[name] = now, token
        return token


def issued(answer: Answer, what: str) -> str:
    """Return the access token of a successful answer.

    Raises:
        Failed: it has none.
    """
    token = answer.json().get("access_token")
    if not answer.is_success or not isinstance(token, str):
        raise Failed(f"{what} to yield a token", str(answer))
    return token


def _legitimate(answer: Answer, what: str) -> str:
    try:
        return issued(answer, what)
    except Failed as failed:
        raise UnsoundRun(f"{what} yields no token: {failed.actual}") from failed
