"""Twins whose answers to an exchange lack something or say it wrongly (RFC 8693 §2.2.1, §4.2, §4.3)."""

from contextlib import AbstractContextManager

from tests.e2e.in_process import InProcess
from tests.e2e.jws import claims_of
from tests.e2e.twins.layer import Forward, Request, Response, layer
from tests.e2e.twins.token_exchange import answered, reissued
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict


@twin("TX-08", "does not say issued_token_type")
def leaves_out_issued_token_type(stack: InProcess) -> AbstractContextManager[None]:
    """Answer as other grants do."""
    return answered(stack, lambda _request, answer: answer.with_json(issued_token_type=None))


@twin("TX-08", "does not say token_type")
def leaves_out_token_type(stack: InProcess) -> AbstractContextManager[None]:
    """Leave the client to guess how the token is used."""
    return answered(stack, lambda _request, answer: answer.with_json(token_type=None))


@twin("TX-08", "says issued_token_type by a name of its own")
def shortens_issued_token_type(stack: InProcess) -> AbstractContextManager[None]:
    """Answer access_token in the place of its URN."""

    def change(_request: Request, answer: Response) -> Response | None:
        issued = "access_token" in answer.json
        return answer.with_json(issued_token_type="access_token") if issued else None

    return answered(stack, change)


@twin("TX-08", "answers an exchange 201, as if it had made a resource")
def answers_created(stack: InProcess) -> AbstractContextManager[None]:
    """Answer with another status of success."""

    def change(_request: Request, answer: Response) -> Response | None:
        return Response(201, answer.headers, answer.body) if answer.status == 200 else None

    return answered(stack, change)


@twin("TX-09", "narrows the scope and does not say so")
def narrows_in_silence(stack: InProcess) -> AbstractContextManager[None]:
    """Leave scope out of the answer when it is not the one that was asked for."""
    return answered(stack, lambda request, answer: _narrowed(request, answer, None))


@twin("TX-09", "says the scope that was asked for, and not the one it grants")
def echoes_the_scope(stack: InProcess) -> AbstractContextManager[None]:
    """Answer with the scope of the request."""
    return answered(stack, lambda request, answer: _narrowed(request, answer, request.form.get("scope")))


@twin("TX-09", "grants its default scope to whoever asks for none, and does not say which")
def grants_a_default_scope_in_silence(stack: InProcess) -> AbstractContextManager[None]:
    """Fill in a scope, and leave it out of the answer."""

    async def handle(request: Request, forward: Forward) -> Response:
        if not request.is_exchange or "scope" in request.form:
            return await forward(request)
        return (await forward(request.with_form(scope="account:read_balance"))).with_json(scope=None)

    return stack.auth_server.inside(layer(handle))


def _narrowed(request: Request, answer: Response, said: str | None) -> Response | None:
    held = claims_of(answer.json.get("access_token", "")).get("scope")
    return answer.with_json(scope=said) if held and held != request.form.get("scope") else None


@twin("TX-15", "writes several scopes into the token as an array")
def writes_scope_as_an_array(stack: InProcess) -> AbstractContextManager[None]:
    """Write one scope as a string, and more than one as a list."""

    def change(_request: Request, claims: dict[str, str]) -> dict[str, list[str]]:
        scopes = claims.get("scope", "").split()
        return {"scope": scopes} if len(scopes) > 1 else {}

    return reissued(stack, change)


@twin("TX-15", "answers several scopes with commas between them")
def puts_commas_between_scopes(stack: InProcess) -> AbstractContextManager[None]:
    """Separate scopes in the answer by commas."""

    def change(_request: Request, answer: Response) -> Response | None:
        scope = answer.json.get("scope", "")
        return answer.with_json(scope=scope.replace(" ", ",")) if " " in scope else None

    return answered(stack, change)


@twin(
    "TX-16",
    "keeps the client_id of the subject token",
    also={"LC-75": Verdict.NOT_RUN, "LC-76": Verdict.NOT_RUN},
)
def keeps_the_client_of_the_subject_token(stack: InProcess) -> AbstractContextManager[None]:
    """Name the app that signed the customer on."""
    return reissued(stack, lambda _request, _claims: {"client_id": "banking-app"})
