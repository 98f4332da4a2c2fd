"""Discovery says what there is, and no more: RULE 48; RFC 8414, OpenID Connect Discovery."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from auth_server.app import create_app
from auth_server.settings import Settings
from tests.auth_server.servers import ISSUER, AuthorizationRequest, AuthServer, running_server
from tests.clock import SetClock
from tests.jwks_server import JwksServer


@pytest.fixture(scope="module")
def server(sqlite_server: AuthServer) -> AuthServer:
    """One kind of database is enough: nothing here depends on it."""
    return sqlite_server


def test_both_documents_say_the_same_for_the_issuer(server: AuthServer) -> None:
    openid = server.http.get("/.well-known/openid-configuration").json()
    assert openid == server.http.get("/.well-known/oauth-authorization-server").json()
    assert openid["issuer"] == ISSUER
    assert openid["authorization_response_iss_parameter_supported"] is True
    assert openid["code_challenge_methods_supported"] == ["S256"]
    assert openid["grant_types_supported"] == [
        "authorization_code",
        "client_credentials",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ]
    for endpoint in ("token", "introspection", "revocation"):
        assert openid[f"{endpoint}_endpoint_auth_methods_supported"] == ["private_key_jwt"]


def test_every_endpoint_named_is_there(server: AuthServer) -> None:
    document = server.http.get("/.well-known/openid-configuration").json()
    addresses = {n: v for n, v in document.items() if n.endswith(("_endpoint", "jwks_uri"))}
    assert len(addresses) == 8
    for address in addresses.values():
        assert address.startswith(f"{ISSUER}/")
        assert server.http.options(address.removeprefix(ISSUER)).status_code == 405


def test_the_openapi_document_describes_every_endpoint(server: AuthServer) -> None:
    """Those of the administration API are counted in test_administration_roles.py."""
    document = server.http.get("/openapi.json").json()
    assert {
        *("/authorize", "/sign-on", "/consent", "/end-session", "/token", "/introspect", "/revoke", "/jwks"),
        *("/userinfo", "/grants", "/grants/{grant_id}", "/records"),
        *("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"),
        *(
            "/events/{stream_id}",
            "/.well-known/ssf-configuration",
            "/checkpoints",
            "/checkpoint-keys",
            "/audit",
        ),
    } == {path for path in document["paths"] if not path.startswith("/admin/")}


def test_a_page_that_is_not_there_is_a_page_for_a_browser(server: AuthServer) -> None:
    page = server.http.get("/nowhere", headers={"accept": "text/html,*/*"})
    assert page.status_code == 404
    assert "There is no such page" in page.text
    problem = server.http.get("/nowhere", headers={"accept": "application/json"})
    assert problem.headers["content-type"] == "application/problem+json"


def test_behind_https_the_cookies_are_bound_to_the_host(
    tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer
) -> None:
    settings = {"issuer": "https://login.example.com"}
    with running_server(tmp_path, app_keys, agent_keys, SetClock(), **settings) as server:
        response = server.browser().open("/authorize", AuthorizationRequest(resource=None).query).response
        assert response.headers["set-cookie"].startswith("__Host-auth_csrf=")
        assert "Secure" in response.headers["set-cookie"]
        out = server.http.get("/end-session")
        [removal] = [c for c in out.headers.get_list("set-cookie") if c.startswith("__Host-auth_session=")]
        assert "Secure" in removal
        assert "Max-Age=0" in removal


@pytest.mark.parametrize(
    "issuer",
    [
        *(
            "http://login.example.com",
            "https://login.example.com/",
            "https://login.example.com?x=1",
            "login",
            "",
        ),
        *("https://login.example.com#x", "ftp://localhost", "http://localhost.evil.example"),
    ],
)
def test_an_issuer_is_refused_at_the_start_that_is(issuer: str) -> None:
    with pytest.raises(ValidationError, match="issuer"):
        Settings(issuer=issuer)


def test_the_banking_apps_address_may_end_in_a_slash() -> None:
    assert Settings(banking_app_url="http://localhost:8501/").banking_app_url == "http://localhost:8501"


def test_a_damaged_key_against_forged_forms_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "csrf.key").write_bytes(b"")
    with pytest.raises(ValueError, match=r"csrf\.key is damaged"):
        create_app(Settings(data_dir=tmp_path, demo_password=""))


def test_the_demo_customers_can_sign_on_and_the_page_says_how(
    tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer
) -> None:
    with running_server(tmp_path, app_keys, agent_keys, SetClock(), demo_password="bank-demo") as server:
        browser = server.browser()
        page = browser.open("/authorize", AuthorizationRequest().query)
        assert "customer@example.com" in page.text
        assert "bank-demo" in page.text
        consent = browser.submit(page, username="customer@example.com", password="bank-demo")
        assert "act for you?" in consent.text


def test_without_a_demo_password_there_are_no_demo_customers(server: AuthServer) -> None:
    page = server.browser().open("/authorize", AuthorizationRequest().query)
    assert "Demo customers" not in page.text
