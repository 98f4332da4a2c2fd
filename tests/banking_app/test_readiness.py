"""Readiness: the app says what it lacks and what to look at, and still lives."""

from tests.banking_app.conftest import BankingApp, Serve, get


def test_app_with_all_that_it_needs_is_ready(app: BankingApp) -> None:
    answer = get(f"{app.url}/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_readiness_names_what_is_lacking_and_the_setting_to_look_at(serve_app: Serve) -> None:
    nowhere = "http://127.0.0.1:1"
    with serve_app(chatbot_url=nowhere, account_api_url=nowhere, jwks_uri=f"{nowhere}/jwks") as app:
        answer = get(f"{app.url}/readyz")
        assert answer.status_code == 503
        lacking = answer.json()["lacking"]
        assert set(lacking) == {"chatbot", "account_api", "sign_on"}
        assert "CHATBOT_URL" in lacking["chatbot"]
        assert "ACCOUNT_API_URL" in lacking["account_api"]
        assert "JWKS_URI" in lacking["sign_on"]
        assert get(f"{app.url}/healthz").status_code == 200


def test_neighbour_that_answers_with_an_error_is_lacking(serve_app: Serve) -> None:
    with serve_app() as app:
        wrong = f"{app.provider.url}/nothing"
    with serve_app(jwks_uri=wrong) as app:
        assert "404" in get(f"{app.url}/readyz").json()["lacking"]["sign_on"]
