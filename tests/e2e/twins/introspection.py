"""Twins that introspect for anyone, or say too little or too much (RFC 7662, RFC 8693 §4.1, §4.4)."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from delegation.bearer import InvalidToken
from delegation.signing_key import ALGORITHM
from delegation.verification import signed_claims
from tests.e2e.in_process import InProcess
from tests.e2e.jws import claims_of
from tests.e2e.twins.client_authentication import with_right_assertion
from tests.e2e.twins.layer import Forward, Request, Response, json_response, layer
from tests.e2e.twins.twin import twin


@twin("LC-72", "introspects for whoever asks")
def introspects_for_anyone(stack: InProcess) -> AbstractContextManager[None]:
    """Ask for no authentication."""
    return _introspecting_for(stack, lambda request: "client_assertion" not in request.form)


@twin("LC-72", "introspects for whoever fails to authenticate")
def introspects_for_impostors(stack: InProcess) -> AbstractContextManager[None]:
    """Ask for an assertion, and do not verify it."""
    return _introspecting_for(stack, lambda request: "client_assertion" in request.form)


def _introspecting_for(stack: InProcess, whom: Callable[[Request], bool]) -> AbstractContextManager[None]:
    """Introspect for callers that were refused."""

    async def handle(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        takes = request.path == "/introspect" and answer.status == 401 and whom(request)
        # An assertion that was used twice is another rule's matter.
        replayed = "before" in answer.json.get("error_description", "")
        return await forward(with_right_assertion(stack, request)) if takes and not replayed else answer

    return stack.auth_server.inside(layer(handle))


@twin("LC-72", "answers what is no token with an error")
def answers_what_is_no_token_with_an_error(stack: InProcess) -> AbstractContextManager[None]:
    """Call the request invalid."""
    return _said_of(stack, lambda token, _answer: None if claims_of(token) else _INVALID)


_INVALID = json_response(400, error="invalid_request")


@twin("LC-72", "introspects the claims of a token whose signature is wrong")
def introspects_forged_tokens(stack: InProcess) -> AbstractContextManager[None]:
    """Verify nothing, as the resource has done that."""

    def change(token: str, _answer: Response) -> Response | None:
        forged = claims_of(token) and not _is_ours(stack, token)
        return json_response(200, active=True, **claims_of(token)) if forged else None

    return _said_of(stack, change)


@twin("LC-72", "introspects a delegation token as active after its client revoked it")
def introspects_revoked_tokens(stack: InProcess) -> AbstractContextManager[None]:
    """Look at the signature and the times alone."""
    revoked: set[str] = set()

    async def handle(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        token = request.form.get("token", "")
        claims = claims_of(token)
        if request.path == "/revoke" and answer.status == 200 and "act" in claims:
            revoked.add(token)
        is_it = request.path == "/introspect" and token in revoked
        return json_response(200, active=True, **claims) if is_it else answer

    return stack.auth_server.inside(layer(handle))


@twin("LC-89", "tells the claims of tokens that are not active")
def tells_claims_of_inactive_tokens(stack: InProcess) -> AbstractContextManager[None]:
    """Say all that the token says."""
    return _said_of(stack, lambda token, _answer: json_response(200, **claims_of(token), active=False))


@twin("LC-89", "tells why a token is not active")
def tells_why_a_token_is_inactive(stack: InProcess) -> AbstractContextManager[None]:
    """Help whoever tries tokens out."""
    return _said_of(stack, lambda _token, answer: answer.with_json(reason="unknown"))


@twin("LC-73", "leaves act out of introspection")
def leaves_act_out(stack: InProcess) -> AbstractContextManager[None]:
    """Show a delegation as the customer in person."""
    return _shown(stack, lambda answer: answer.with_json(act=None))


@twin("LC-73", "leaves may_act out of introspection")
def leaves_may_act_out(stack: InProcess) -> AbstractContextManager[None]:
    """Show who may act to nobody."""
    return _shown(stack, lambda answer: answer.with_json(may_act=None))


@twin("LC-73", "shows the actor's identifier in the place of act")
def shows_act_as_a_string(stack: InProcess) -> AbstractContextManager[None]:
    """Flatten the object."""

    def flat(answer: Response) -> Response:
        return answer.with_json(act=answer.json["act"]["sub"]) if "act" in answer.json else answer

    return _shown(stack, flat)


def _shown(stack: InProcess, change: Callable[[Response], Response]) -> AbstractContextManager[None]:
    """Change what is said of active tokens."""

    async def handle(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        shown = request.path == "/introspect" and answer.json.get("active") is True
        return change(answer) if shown else answer

    return stack.auth_server.inside(layer(handle))


def _said_of(
    stack: InProcess, change: Callable[[str, Response], Response | None]
) -> AbstractContextManager[None]:
    """Change what is said of tokens that are not active; None leaves it."""

    async def handle(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        if request.path != "/introspect" or answer.json.get("active") is not False:
            return answer
        return change(request.form.get("token", ""), answer) or answer

    return stack.auth_server.inside(layer(handle))


def _is_ours(stack: InProcess, token: str) -> bool:
    try:
        signed_claims(token, stack.context.server.tokens.keys.current().public, (ALGORITHM,))
    except InvalidToken:
        return False
    return True
