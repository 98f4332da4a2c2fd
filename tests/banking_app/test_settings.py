"""The settings: each stands in the README's table with its default, and a wrong one is refused by name."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from banking_app.settings import Settings

README = Path(__file__).parents[2] / "banking_app" / "README.md"


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", README.read_text(), re.MULTILINE))
    fields = {name.upper(): field.default for name, field in Settings.model_fields.items()}
    assert rows == {name: f"`{default}`" for name, default in fields.items()}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "localhost:8501"),
        ("PUBLIC_URL", "http://localhost:8501/?x"),
        ("TOKEN_ENDPOINT", ""),
        ("CHATBOT_URL", "ftp://chatbot"),
        ("GRANT_MANAGEMENT_ENDPOINT", "grants"),
        ("ID_TOKEN_SIGNED_RESPONSE_ALG", "none"),
        ("ID_TOKEN_SIGNED_RESPONSE_ALG", "HS256"),
        ("SESSION_IDLE_SECONDS", "0"),
    ],
)
def test_wrong_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_slash_at_the_end_of_a_base_address_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://bank.example.com/")
    assert Settings().redirect_uri == "https://bank.example.com/callback"


def test_what_only_our_authorization_server_offers_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRANT_MANAGEMENT_ENDPOINT", "")
    monkeypatch.setenv("AUTH_RECORDS_ENDPOINT", "")
    settings = Settings()
    assert (settings.grant_management_endpoint, settings.auth_records_endpoint) == ("", "")
