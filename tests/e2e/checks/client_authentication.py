"""Who may ask for an exchange: client authentication, and the grants of a client (RFC 6749 §5.2)."""

import secrets
from dataclasses import replace
from typing import Final

from tests.e2e.authorization_server import OTHER_AGENT
from tests.e2e.check import check
from tests.e2e.jws import KeyPair, compact, unsigned
from tests.e2e.minting import complete
from tests.e2e.oauth_client import OAuthClient
from tests.e2e.target import Target

INVALID_CLIENT: Final = "invalid_client"


@check("AS-37")
def an_exchange_needs_client_authentication(target: Target) -> None:
    """Send the legitimate exchange without authentication, with the bare client_id, and with wrong ones.

    RFC 6749 §5.2 allows 400 in the place of 401 where no Authorization header was used. Whether a 401 has
    WWW-Authenticate is not looked at.
    """
    server, expect = target.authorization_server, target.expect
    form = server.exchange_form()
    answer = server.token(form, None)
    expect.refused(answer, "an exchange without authentication", INVALID_CLIENT, (400, 401))
    answer = server.token([*form, ("client_id", server.agent.client_id)], None)
    expect.refused(answer, "an exchange with client_id alone", INVALID_CLIENT, (400, 401))
    for what, client in impostors(server.agent).items():
        answer = server.token(form, client)
        expect.refused(answer, f"an exchange {what}", INVALID_CLIENT, failed_authentication(client))


def failed_authentication(client: OAuthClient) -> tuple[int, ...]:
    """Return the statuses that invalid_client may have for a client that authenticates like this one."""
    return (401,) if client.method == "client_secret_basic" else (400, 401)


def impostors(client: OAuthClient) -> dict[str, OAuthClient]:
    """Return clients that authenticate like this one, each wrong in one way, by what is wrong."""
    unknown = "of a client that is not registered"
    if client.key is None:
        return {
            unknown: replace(client, client_id=OTHER_AGENT),
            "with a wrong secret": replace(client, secret=secrets.token_urlsafe(32)),
            "with an empty secret": replace(client, secret=""),
        }
    key, foreign = client.key, KeyPair()
    claims = {"iss": client.client_id, "sub": client.client_id, "aud": client.audience}
    header = {"typ": "JWT", "kid": key.kid}
    return {
        unknown: replace(client, client_id=OTHER_AGENT),
        "with an assertion signed by a foreign key": replace(client, key=foreign),
        "with an assertion signed by a foreign key under the right kid": client.with_assertion(
            lambda: foreign.sign(header, complete(claims))
        ),
        "with an unsigned assertion": client.with_assertion(
            lambda: compact(header | {"alg": "none"}, complete(claims), unsigned)
        ),
    }


@check("AS-38")
def only_registered_clients_exchange(target: Target) -> None:
    """Send the legitimate exchange as the app, which authenticates rightly and has other grants."""
    server = target.authorization_server
    answer = server.exchange(server.clients["app"])
    what = "an exchange of a client that is not registered for it"
    target.expect.refused(answer, what, "unauthorized_client")
