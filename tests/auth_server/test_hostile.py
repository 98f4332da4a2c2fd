"""Requests that no client of ours would send: each gets a clear refusal, and none a fault (500)."""

import http.client
import socket
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from auth_server.tables import SignOnSession
from delegation import http_bounds
from tests.auth_server.servers import AuthorizationRequest, AuthServer

FORM = {"content-type": "application/x-www-form-urlencoded"}
PATHS = [
    *("/authorize", "/sign-on", "/consent", "/end-session", "/token", "/introspect", "/revoke", "/jwks"),
    *("/userinfo", "/grants", "/records", "/.well-known/openid-configuration", "/healthz", "/readyz"),
    *("/static/style.css", "/static/../app.py", "/static/%2e%2e/app.py", "/nowhere", "/openapi.json"),
    *("//", "/%00", "/é"),
]


@pytest.fixture(scope="module")
def server(sqlite_server: AuthServer) -> AuthServer:
    """One kind of database is enough: nothing here depends on it."""
    return sqlite_server


def raw(server: AuthServer, request: bytes) -> tuple[int, bytes]:
    """Send these very bytes; returns status and the whole answer."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, str(response.headers).encode() + response.read()


@pytest.mark.parametrize("path", PATHS)
def test_no_method_is_a_fault_on(server: AuthServer, path: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "X"):
        response = server.http.request(method, path)
        assert response.status_code < 500, method
        assert response.status_code != 405 or response.headers["allow"], method


@pytest.mark.parametrize(
    "query",
    [b"\xff", b"a=\xff", b"a=%FF", b"%ED%A0%80=1", b"a=%00", b"&" * 2000, b"a=1&" * 70, b"=", b"a=b;c", b"%"],
)
def test_no_query_is_a_fault(server: AuthServer, query: bytes) -> None:
    for path in (b"/authorize", b"/sign-on", b"/end-session", b"/userinfo", b"/records"):
        request = b"GET " + path + b"?" + query + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        status, _ = raw(server, request)
        assert status < 500, path


@pytest.mark.parametrize(
    "host", [b"[", b"[::1", b"a b", b"\xff", b"localhost:99999999", b"evil.example", b"", b"@", b"a/b?c#d"]
)
def test_no_host_header_is_a_fault_or_believed(server: AuthServer, host: bytes) -> None:
    query = AuthorizationRequest().encoded.encode()
    request = b"GET /authorize?" + query + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
    status, answer = raw(server, request)
    assert status < 500
    assert b"evil.example" not in answer


def test_the_metadata_does_not_believe_the_host_header(server: AuthServer) -> None:
    headers = {"host": "evil.example", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    response = server.http.get("/.well-known/openid-configuration", headers=headers)
    assert "evil.example" not in response.text


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xff\xfe", id="bytes that are no text"),
        pytest.param(b"grant_type=%FF", id="an encoding of no text"),
        pytest.param(b"grant_type=%ED%A0%80", id="half a letter"),
        pytest.param(b"grant_type=a%00b", id="a NUL"),
        pytest.param("grant_type=é".encode(), id="letters not encoded"),
        pytest.param(b"grant_type=a&grant_type=b", id="a parameter twice"),
        pytest.param(b"a=1&" * 100, id="too many parameters"),
        pytest.param(b"&".join(b"p%d=1" % n for n in range(100)), id="too many names"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}", id="JSON"),
        pytest.param(b"client_assertion_type=&client_assertion=&grant_type=", id="empty values"),
    ],
)
@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
def test_a_body_is_refused_that_is(server: AuthServer, path: str, body: bytes) -> None:
    response = server.http.post(path, content=body, headers=FORM)
    assert response.status_code in {400, 401}
    assert response.json()["error"] in {"invalid_request", "invalid_client", "unsupported_grant_type"}
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke", "/sign-on", "/consent", "/authorize"])
def test_a_body_that_is_too_long_is_413(server: AuthServer, path: str) -> None:
    response = server.http.post(path, content=b"a=" + b"b" * 65_536, headers=FORM)
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


def test_a_body_that_is_too_long_is_413_also_when_it_does_not_say_so(server: AuthServer) -> None:
    response = server.http.post("/token", content=iter([b"b" * 1000] * 70), headers=FORM)
    assert response.status_code == 413


def test_who_hangs_up_in_the_middle_leaves_nothing_in_the_log(
    server: AuthServer, caplog: pytest.LogCaptureFixture
) -> None:
    address = urlsplit(server.url)
    head = b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(head + b"Content-Type: application/x-www-form-urlencoded\r\n\r\na=")
    for _ in range(20):
        assert server.http.get("/healthz").status_code == 200
    assert caplog.messages == []


@pytest.mark.parametrize("path", ["/token", "/introspect", "/sign-on"])
def test_a_form_that_does_not_come_in_time_is_408(
    server: AuthServer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bounds, "BODY_SECONDS", 0.2)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
    status, told = raw(server, f"{head}Content-Type: {FORM['content-type']}\r\n\r\ngrant_type=".encode())
    assert status == 408
    assert b"connection: close" in told.lower()
    assert server.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/sign-on", "/consent", "/authorize", "/end-session"])
def test_a_page_answers_a_bad_form_with_a_page(server: AuthServer, path: str) -> None:
    for body in (b"\xff", b"a=1&a=2"):
        response = server.http.post(path, content=body, headers=FORM)
        assert response.status_code == 400
        assert response.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7.5}}"])
def test_nothing_sent_comes_back_as_markup(server: AuthServer, text: str) -> None:
    browser = server.browser()
    for changes in ({"state": text}, {"response_type": text}, {"redirect_uri": text}, {"nonce": text}):
        page = browser.open("/authorize", AuthorizationRequest(**changes).query)
        assert text not in page.text or text.startswith("{{")
        assert "52.5" not in page.text
    page = browser.open("/authorize", AuthorizationRequest().query)
    answer = browser.submit(page, username=text, password="x").text
    assert text not in answer or text.startswith("{{")


def test_the_cookie_of_the_session_cannot_be_guessed_from_its_hash(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    [(cookie_hash,)] = server.rows(select(SignOnSession.cookie_hash).where(SignOnSession.sub == customer))
    browser = server.browser()
    browser.http.cookies.set("auth_session", cookie_hash)
    page = browser.open("/authorize", AuthorizationRequest().query)
    assert "password" in page.form.fields
    assert tokens.refresh().status_code == 200
