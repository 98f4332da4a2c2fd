"""The target under test, alive: what a check is given."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from tests.e2e.agent_switch import Switch, SwitchingProgram
from tests.e2e.authorization_server import AuthorizationServer, issued
from tests.e2e.expect import Expectations
from tests.e2e.jws import KeyPair
from tests.e2e.key_server import KeyServer, serving_keys
from tests.e2e.minting import Minter, MintingProgram, Sign, private_key
from tests.e2e.oauth_client import OAuthClient
from tests.e2e.observer import serving_backend
from tests.e2e.resource import Backend, Resource
from tests.e2e.rules import Need, Party, Transport
from tests.e2e.target_file import TargetFile, is_on_this_machine
from tests.e2e.target_reading import secret
from tests.e2e.verdict import Failed, UnsoundRun
from tests.e2e.wire import TransportFault, Wire


class Target:
    """The two parties under test, the wire to them, and the expectations of the check that runs now."""

    def __init__(
        self,
        file: TargetFile,
        wire: Wire,
        authorization_server: AuthorizationServer | None,
        resources: Mapping[Transport, Resource],
        key_server: KeyServer | None = None,
        switch_agent: Switch | None = None,
    ) -> None:
        self.file = file
        self.wire = wire
        self.expect = Expectations()
        self.key_server = key_server
        self._switch_agent = switch_agent
        self._authorization_server = authorization_server
        self._resources = resources
        self._transport: Transport = "REST"

    @property
    def authorization_server(self) -> AuthorizationServer:
        """Return the authorization server; checks of rules for one run only where there is one."""
        assert self._authorization_server
        return self._authorization_server

    @property
    def switch_agent(self) -> Switch:
        """Return how the agent is suspended; checks that need it run only where it can be."""
        assert self._switch_agent
        return self._switch_agent

    @property
    def resource(self) -> Resource:
        """Return the resource, called by the transport of this check, which runs only where there is one."""
        return self._resources[self._transport]

    def resource_by(self, transport: Transport) -> Resource:
        """Return the resource, called by this transport; checks that need it run only where it is there."""
        return self._resources[transport]

    @property
    def transports(self) -> tuple[Transport, ...]:
        """Return how the resource can be called; nothing where there is none."""
        return tuple(self._resources)

    def begin_check(self, transport: Transport = "REST") -> None:
        """Forget what the check before has seen; call the resource by this transport from now on."""
        self._transport = transport
        self.wire.forget()
        self.expect = Expectations(lambda: len(self.wire.evidence))

    def lacks(self, need: Need) -> str:
        """Return why the suite was not given this, and how to give it; empty if it was."""
        file = self.file
        minting, signs_on = file.minting, file.sign_on is not None
        mints = minting is not None and minting.access_tokens
        exchanges = file.authorization_server is not None
        given: dict[Need, tuple[bool, str]] = {
            "agent_switch": (
                self._switch_agent is not None,
                "programs that suspend the agent and let it go on: [agent_registry]",
            ),
            "app": ("app" in file.clients, "another client than the agent: [clients.app]"),
            "authorization_server": (exchanges, "the server that issues the tokens: [authorization_server]"),
            "sign_on": (signs_on, "a way to sign a customer on: [sign_on]"),
            "mcp_address": ("MCP" in self._resources, "the address of the MCP endpoint: [resource.mcp]"),
            "minting": (
                minting is not None and minting.subject_tokens,
                "subject tokens of any form: [minting] with subject_tokens = true",
            ),
            "resource_minting": (mints, "tokens of any form that the resource trusts: [minting]"),
            "resource_token": (mints or exchanges, "a good token: [minting], or [authorization_server]"),
            "issued_tokens": (
                mints or exchanges,
                "subject and actor tokens: [authorization_server], or [minting]",
            ),
            "id_token": (mints or signs_on, "an ID token: [sign_on], or [minting]"),
            "other_actor_token": (
                "other_agent" in file.clients or (minting is not None and minting.subject_tokens),
                "an actor token of another agent: [clients.other_agent], or [minting] of subject_tokens",
            ),
            "keyless_instance": (
                file.resource is not None and file.resource.keyless_url is not None,
                "an instance of the resource that cannot reach its issuer's keys: resource.keyless_url",
            ),
            "observed_backend": (
                any(one.backend is not None for one in self._resources.values()),
                "a look at what reaches the backend: [backend]",
            ),
        }
        has, how = given[need]
        return "" if has else f"It takes {how}."

    def prepare(self) -> None:
        """Make the legitimate exchange and call: what is wrong with one flaw must be right without.

        Raises:
            UnsoundRun: one of them is refused, or gets no usable answer.
        """
        self.confirm("authorization server")
        self.confirm("resource")

    def confirm(self, party: Party) -> None:
        """Make the legitimate request to one party: whoever refuses that has refused nothing for its flaw.

        Raises:
            UnsoundRun: it is refused, or gets no usable answer.
        """
        try:
            if party == "authorization server" and self._authorization_server:
                issued(self._authorization_server.exchange(), "the legitimate exchange")
            if party == "resource" and not self.lacks("resource_token"):
                for transport, resource in self._resources.items():
                    answer = resource.call(resource.read, resource.token())
                    self.expect.accepted(answer, f"the legitimate call by {transport}")
        except TransportFault as fault:
            raise UnsoundRun(str(fault)) from fault
        except Failed as failed:
            raise UnsoundRun(
                f"no rule can be judged: expected {failed.expected}, got {failed.actual}"
            ) from failed


@contextmanager
def live_target(
    file: TargetFile,
    environment: Mapping[str, str] = os.environ,
    backend: Backend | None = None,
    sign: Sign | None = None,
    issuer_keys: KeyServer | None = None,
    switch_agent: Switch | None = None,
) -> Iterator[Target]:
    """Give the target that a file describes; what the suite serves for it ends with it.

    `backend`, `sign`, `issuer_keys` and `switch_agent` take the place of `[backend]`, `[minting]` and
    `[agent_registry]`, for a target in this very process.

    Raises:
        UnsoundRun: a secret is missing or wrong, or a program or address of the file cannot be used.
    """
    with ExitStack() as ending:
        wire = Wire(
            timeout_seconds=file.timeout_seconds,
            requests_per_second=file.requests_per_second,
            verify=file.verify_tls,
            by_proxy=not is_on_this_machine(file),
        )
        ending.callback(wire.close)
        minter, key_server = _minter(file, environment, sign, ending)
        if file.backend:
            backend = ending.enter_context(serving_backend(file.backend.listen))
        server = None
        if file.authorization_server:
            server = AuthorizationServer(file, wire, _clients(file, environment), minter, environment)
        transports = _transports(file)
        resources = {one: Resource(file, wire, minter, server, backend, one) for one in transports}
        if switch_agent is None and file.agent_registry:
            switch_agent = SwitchingProgram(file.agent_registry, environment)
        yield Target(file, wire, server, resources, key_server or issuer_keys, switch_agent)


def _transports(file: TargetFile) -> tuple[Transport, ...]:
    if file.resource is None:
        return ()
    return ("REST",) if file.resource.mcp is None else ("REST", "MCP")


def _clients(file: TargetFile, environment: Mapping[str, str]) -> dict[str, OAuthClient]:
    assert file.authorization_server
    clients = {}
    for name, client in file.clients.items():
        key, shared = None, ""
        if client.key_env:
            pem = secret(client.key_env, environment, f"the private key of clients.{name}, in PEM")
            key = private_key(pem, client.key_env)
        elif client.secret_env:
            shared = secret(client.secret_env, environment, f"the secret of clients.{name}")
        audience = client.assertion_audience or file.authorization_server.issuer
        clients[name] = OAuthClient(client.client_id, client.authentication, audience, key, shared)
    return clients


def _minter(
    file: TargetFile, environment: Mapping[str, str], sign: Sign | None, ending: ExitStack
) -> tuple[Minter | None, KeyServer | None]:
    section = file.minting
    if section is None:
        return None, None
    issuer = section.issuer or (file.authorization_server.issuer if file.authorization_server else "")
    if not issuer:
        raise UnsoundRun("minting.issuer is missing: the issuer that the resource trusts")
    if sign:
        return Minter(sign, issuer), None
    if section.command:
        program = MintingProgram(section.command, environment)
        ending.callback(program.close)
        return Minter(program, issuer), None
    key = KeyPair()
    if section.key_env:
        key = private_key(secret(section.key_env, environment, "the minting key, in PEM"), section.key_env)
    key_server = None
    if section.jwks_listen:
        key_server = ending.enter_context(serving_keys(section.jwks_listen, key))
    return Minter(key.sign, issuer), key_server
