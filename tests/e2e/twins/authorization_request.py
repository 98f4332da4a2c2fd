"""Twins that compare redirect URIs loosely (RFC 9700 §2.1)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from unittest.mock import patch
from urllib.parse import urlsplit

from auth_server.clients import Client
from tests.e2e.in_process import InProcess
from tests.e2e.twins.layer import Forward, Request, Response, layer
from tests.e2e.twins.twin import twin


def _compares(name: str, flaw: str, alike: Callable[[str, str], bool]) -> None:
    """Register the twin that takes URIs for a registered one if they are alike in this way."""

    def compares_loosely(_stack: InProcess) -> AbstractContextManager[object]:
        """Accept what is not registered."""

        def check(client: Client, uri: str) -> bool:
            return any(uri == known or alike(uri, known) for known in client.redirect_uris)

        return patch.object(Client, "check_redirect_uri", check)

    compares_loosely.__name__ = name
    twin("AS-42", flaw)(compares_loosely)


def _path(uri: str) -> str:
    return urlsplit(uri).path


_compares(
    "compares_how_a_uri_begins",
    "takes URIs that begin like the registered one",
    lambda uri, known: uri.startswith(known) and uri[len(known)] not in "/?",
)
_compares(
    "takes_paths_below",
    "takes paths below the registered one",
    lambda uri, known: uri.startswith(f"{known}/") and "/../" not in uri,
)
_compares(
    "does_not_see_a_way_out",
    "takes paths that lead out of the registered one",
    lambda uri, known: uri.startswith(f"{known}/../"),
)
_compares(
    "ignores_the_path",
    "looks at the host alone",
    lambda uri, known: (
        urlsplit(uri)[:2] == urlsplit(known)[:2] and not _path(uri).lower().startswith(_path(known))
    ),
)
_compares(
    "ignores_the_query", "does not look at the query", lambda uri, known: uri.partition("?")[0] == known
)
_compares("ignores_case", "does not look at upper and lower case", lambda uri, known: uri.lower() == known)
_compares("ignores_a_slash", "does not look at a slash at the end", lambda uri, known: uri == f"{known}/")
_compares(
    "ignores_the_scheme",
    "takes http and https for the same",
    lambda uri, known: uri.partition(":")[2] == known.partition(":")[2],
)
_compares(
    "takes_a_user_name_for_a_host",
    "takes what stands before @ for the host",
    lambda uri, known: "@" in uri and urlsplit(uri).netloc.partition("@")[0] == urlsplit(known).netloc,
)
_compares(
    "takes_subdomains_of_others",
    "looks how the host begins",
    lambda uri, known: (urlsplit(uri).hostname or "").startswith(f"{urlsplit(known).hostname}."),
)
_compares(
    "ignores_the_host",
    "takes every host",
    lambda uri, known: "@" not in uri and "localhost" not in uri and _path(uri) == _path(known),
)


@twin("AS-42", "does not compare the redirect URI when a code is redeemed")
def ignores_the_redirect_uri_of_a_code(stack: InProcess) -> AbstractContextManager[None]:
    """Put the registered one in its place."""
    registered = f"{stack.context.settings.banking_app_url}/callback"

    async def handle(request: Request, forward: Forward) -> Response:
        redeems = request.path == "/token" and request.form.get("grant_type") == "authorization_code"
        return await forward(request.with_form(redirect_uri=registered) if redeems else request)

    return stack.auth_server.inside(layer(handle))
