"""A token's claims for people to read."""

from typing import Any

import jwt
from jwt.exceptions import InvalidTokenError


def shown_claims(encoded: str) -> dict[str, Any] | None:
    """Return the payload of a JWT, for display only; None for a token that is none.

    Nothing is verified, and nothing may be decided from it: to the agent the tokens that it gets are opaque.
    """
    try:
        return dict(jwt.decode(encoded, options={"verify_signature": False}))
    except (InvalidTokenError, ValueError, RecursionError):
        return None
