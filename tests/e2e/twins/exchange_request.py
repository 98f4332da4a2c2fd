"""Twins that are lax about the parameters of an exchange request (RFC 8693 §2.1)."""

import time
from contextlib import AbstractContextManager
from typing import Any

from delegation.token_exchange import ACCESS_TOKEN_TYPE
from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.jws import claims_of
from tests.e2e.minting import complete
from tests.e2e.twins.layer import Request
from tests.e2e.twins.token_exchange import asked
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict


@twin("TX-02", "takes a subject token without a type for an access token")
def guesses_the_subject_token_type(stack: InProcess) -> AbstractContextManager[None]:
    """Fill in the type that is missing."""

    def change(request: Request) -> Request | None:
        missing = "subject_token_type" not in request.form
        return request.with_form(subject_token_type=ACCESS_TOKEN_TYPE) if missing else None

    return asked(stack, change)


@twin("TX-03", "takes an actor token without a type for an access token")
def guesses_the_actor_token_type(stack: InProcess) -> AbstractContextManager[None]:
    """Fill in the type that is missing."""

    def change(request: Request) -> Request | None:
        guess = "actor_token" in request.form and "actor_token_type" not in request.form
        return request.with_form(actor_token_type=ACCESS_TOKEN_TYPE) if guess else None

    return asked(stack, change)


@twin("TX-04", "takes the client for the actor when an actor_token_type stands alone")
def guesses_the_actor(stack: InProcess) -> AbstractContextManager[None]:
    """Fill in an actor token that nobody sent."""

    def change(request: Request) -> Request | None:
        if "actor_token" in request.form or "actor_token_type" not in request.form:
            return None
        return request.with_form(actor_token=actor_token(stack))

    return asked(stack, change)


@twin("TX-05", "cuts a fragment off the resource")
def ignores_the_fragment(stack: InProcess) -> AbstractContextManager[None]:
    """Compare what is before the fragment."""
    return asked(stack, lambda request: _with_resources(request, lambda one: one.partition("#")[0]))


@twin("TX-05", "makes a relative resource absolute")
def completes_the_resource(stack: InProcess) -> AbstractContextManager[None]:
    """Put the scheme before resources that have none."""

    def completed(resource: str) -> str:
        return resource if ":" in resource else f"https://{resource.lstrip('/')}"

    return asked(stack, lambda request: _with_resources(request, completed))


def _with_resources(request: Request, change: Any) -> Request:
    changed = [change(value) for name, value in request.fields if name == "resource"]
    return request.with_form(resource=changed)


@twin("TX-10", "does not look at subject_token_type", also={"AS-39": Verdict.FAIL})
def ignores_the_subject_token_type(stack: InProcess) -> AbstractContextManager[None]:
    """Take any type for that of an access token."""

    def change(request: Request) -> Request | None:
        declared = "subject_token_type" in request.form
        return request.with_form(subject_token_type=ACCESS_TOKEN_TYPE) if declared else None

    return asked(stack, change)


@twin("TX-10", "does not look at actor_token_type", also={"AS-39": Verdict.FAIL})
def ignores_the_actor_token_type(stack: InProcess) -> AbstractContextManager[None]:
    """Take any type for that of an access token."""

    def change(request: Request) -> Request | None:
        declared = "actor_token_type" in request.form
        return request.with_form(actor_token_type=ACCESS_TOKEN_TYPE) if declared else None

    return asked(stack, change)


@twin("TX-10", "takes the app's ID token for a subject token")
def takes_an_id_token(stack: InProcess) -> AbstractContextManager[None]:
    """Put an access token of the same customer in its place."""

    def change(request: Request) -> Request | None:
        claims = claims_of(request.form.get("subject_token", ""))
        if "auth_time" not in claims:
            return None
        scope = request.form.get("scope", "")
        subject = {"iss": claims["iss"], "sub": claims["sub"], "aud": AGENT, "client_id": "banking-app"}
        subject |= {"scope": scope, "may_act": {"sub": AGENT}}
        return request.with_form(subject_token=stack.sign({"typ": "at+jwt"}, complete(subject)))

    return asked(stack, change)


def actor_token(stack: InProcess) -> str:
    """Return an actor token that the agent never asked for."""
    issuer, scope = stack.context.settings.issuer, "account:read_balance account:read_transactions"
    claims = {"iss": issuer, "sub": AGENT, "client_id": AGENT, "aud": issuer, "scope": scope}
    return stack.sign({"typ": "at+jwt"}, complete(claims | {"exp": int(time.time()) + 300}))
