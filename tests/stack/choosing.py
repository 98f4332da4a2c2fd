"""Which stack is tested: STACK says it.

`own` (or nothing): the tests start five processes of their own, which needs nothing to run beforehand.
`compose`: the running Compose project that COMPOSE_PROJECT_NAME names.
`local`: the running `make demo` that PORT_BASE names; tests that stop services are skipped.
`running`: Compose if it runs, else `make demo`.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.stack.compose_stack import compose_stack
from tests.stack.local_stack import own_stack, running_demo
from tests.stack.stack import NoStack, Stack


@contextmanager
def chosen_stack() -> Iterator[Stack]:
    """Give the stack that STACK names.

    Raises:
        NoStack: it does not run, or STACK names none.
    """
    with ExitStack() as ending:
        yield _chosen(os.environ.get("STACK") or "own", ending)


def _chosen(choice: str, ending: ExitStack) -> Stack:
    match choice:
        case "own":
            return ending.enter_context(own_stack())
        case "compose":
            return ending.enter_context(compose_stack())
        case "local":
            return running_demo()
        case "running":
            return _running(ending)
        case _:
            raise NoStack(f"STACK={choice} is none of own, compose, local, running")


def _running(ending: ExitStack) -> Stack:
    try:
        return ending.enter_context(compose_stack())
    except NoStack as no_compose:
        try:
            return running_demo()
        except NoStack as no_demo:
            raise NoStack(f"{no_compose}. And {no_demo}") from None
