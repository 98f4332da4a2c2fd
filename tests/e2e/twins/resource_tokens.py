"""Twins whose resource takes tokens that are wrong in one way."""

from contextlib import AbstractContextManager
from unittest.mock import patch

import delegation.verification
from tests.e2e.in_process import InProcess
from tests.e2e.twins.twin import twin


@twin("RS-49", "does not look at typ")
def ignores_typ(_stack: InProcess) -> AbstractContextManager[object]:
    """Accept every typ that the check sends."""
    every = frozenset({"at+jwt", "application/at+jwt", "jwt", "id+jwt", "client-authentication+jwt", "none"})
    return patch.object(delegation.verification, "ACCESS_TOKEN_TYPES", every)
