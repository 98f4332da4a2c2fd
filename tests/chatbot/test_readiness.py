"""`/healthz` says that the process lives, `/readyz` that it can do its work, or what it lacks."""

import pytest

from tests.chatbot.conftest import OpenWorld, World

NOBODY = "http://127.0.0.1:9"


def test_it_is_ready_when_everybody_it_needs_answers(world: World) -> None:
    assert world.http.get("/readyz").json() == {"status": "ready"}
    assert world.http.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("setting", "value", "lacking"),
    [
        ("jwks_uri", f"{NOBODY}/jwks", "keys"),
        ("token_endpoint", f"{NOBODY}/token", "token_endpoint"),
        ("gateway_url", NOBODY, "gateway"),
    ],
)
def test_it_names_what_it_lacks_and_the_setting_to_look_at(
    new_world: OpenWorld, setting: str, value: str, lacking: str
) -> None:
    with new_world(**{setting: value}) as world:
        response = world.http.get("/readyz")

        assert response.status_code == 503
        assert list(response.json()["lacking"]) == [lacking]
        assert setting.upper() in response.json()["lacking"][lacking]
        assert world.http.get("/healthz").status_code == 200
