"""Twins that believe an issuer whom nobody trusts (RFC 8725 §3.8)."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.jws import KeyPair, claims_of, header_of
from tests.e2e.twins.layer import Request
from tests.e2e.twins.lenient import read_otherwise
from tests.e2e.twins.token_exchange import asked
from tests.e2e.twins.twin import twin


def _another_issuer(stack: InProcess, when: Callable[[str, bool], bool]) -> AbstractContextManager[object]:
    """Take the issuer for our own; `when` is given iss, and whether it is the agent's own token."""
    own = stack.context.settings.issuer
    return read_otherwise(
        lambda claims: {"iss": own} if when(claims.get("iss", ""), claims.get("sub") == AGENT) else {}
    )


@twin("TX-32", "looks at the signature of a subject token, and not at its issuer")
def ignores_the_subject_tokens_issuer(stack: InProcess) -> AbstractContextManager[object]:
    """Take every issuer whose key is known."""
    return _another_issuer(stack, lambda iss, is_actor: bool(iss) and not is_actor)


@twin("TX-32", "looks at the signature of an actor token, and not at its issuer")
def ignores_the_actor_tokens_issuer(stack: InProcess) -> AbstractContextManager[object]:
    """Take every issuer whose key is known."""
    return _another_issuer(stack, lambda iss, is_actor: bool(iss) and is_actor)


@twin("TX-32", "takes a token without iss for its own")
def takes_no_issuer_for_its_own(stack: InProcess) -> AbstractContextManager[object]:
    """Compare iss if there is one."""
    return _another_issuer(stack, lambda iss, _is_actor: not iss)


@twin("TX-32", "looks at how iss begins")
def compares_how_iss_begins(stack: InProcess) -> AbstractContextManager[object]:
    """Take whatever begins with the issuer for the issuer."""
    return _another_issuer(stack, lambda iss, _is_actor: iss.startswith(stack.context.settings.issuer))


def _believed(
    stack: InProcess, name: str, when: Callable[[str | None], bool]
) -> AbstractContextManager[None]:
    """Sign a token anew when its kid is like this, in the issuer's name."""
    key = KeyPair(stack.context.server.tokens.keys.current().private_key)

    def change(request: Request) -> Request | None:
        sent = request.form.get(name, "")
        claims = claims_of(sent)
        if not claims or not when(header_of(sent).get("kid")):
            return None
        own = claims | {"iss": stack.context.settings.issuer}
        return request.with_form(**{name: key.sign({"typ": "at+jwt"}, own)})

    return asked(stack, change)


@twin("TX-32", "believes a subject token whose key it does not find")
def believes_unknown_keys(stack: InProcess) -> AbstractContextManager[None]:
    """Verify what can be verified, and let the rest pass."""
    own = stack.context.server.tokens.keys.current().kid
    return _believed(stack, "subject_token", lambda kid: kid is not None and kid != own)


@twin("TX-32", "believes an actor token that names no key")
def believes_unnamed_keys(stack: InProcess) -> AbstractContextManager[None]:
    """Verify what can be verified, and let the rest pass."""
    return _believed(stack, "actor_token", lambda kid: kid is None)
