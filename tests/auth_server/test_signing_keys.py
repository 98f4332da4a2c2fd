"""The signing key: kept over restarts, rotated with an overlap, gone when its last token has expired."""

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from auth_server.signing_keys import SigningKeys
from delegation.clock import utc_now
from tests.auth_server.servers import ISSUER, AuthServer, header, running_server
from tests.clock import SetClock
from tests.jwks_server import JwksServer


def published(server: AuthServer) -> list[str]:
    return [key["kid"] for key in server.http.get("/jwks").json()["keys"]]


def rotate(server: AuthServer) -> str:
    """Rotate as the command does, but at the server's time."""
    return SigningKeys(server.settings.data_dir / "keys", server.clock).rotate().kid


def test_a_restart_keeps_the_key(tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer) -> None:
    kids = []
    for _ in range(2):
        with running_server(tmp_path, app_keys, agent_keys, SetClock()) as server:
            kids.append(published(server))
    assert kids[0] == kids[1]
    assert len(kids[0]) == 1


def test_the_key_file_is_the_services_own(own_server: AuthServer) -> None:
    [file] = (own_server.settings.data_dir / "keys").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((own_server.settings.data_dir / "csrf.key").stat().st_mode) == 0o600


def test_only_public_halves_are_published(own_server: AuthServer) -> None:
    response = own_server.http.get("/jwks")
    [key] = response.json()["keys"]
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert response.headers["cache-control"] == "public, max-age=60"


def test_after_a_rotation_the_new_key_signs_and_the_old_one_verifies(own_server: AuthServer) -> None:
    tokens = own_server.sign_on(own_server.new_customer())
    [old] = published(own_server)
    old_token = tokens.token_for(ISSUER)
    own_server.clock.forward(seconds=1)
    new = rotate(own_server)
    assert published(own_server) == [old, new]
    new_token = tokens.token_for(ISSUER)
    assert header(new_token)["kid"] == new
    for token in (old_token, new_token):
        assert own_server.app.introspect(token)["active"]


def test_the_old_key_is_published_until_its_last_token_has_expired(own_server: AuthServer) -> None:
    [old] = published(own_server)
    own_server.clock.forward(days=30)
    subject_token = own_server.sign_on(own_server.new_customer()).token_for("https://bank-agent.example.com")
    own_server.clock.forward(seconds=1)
    new = rotate(own_server)
    own_server.clock.forward(minutes=14, seconds=58)
    assert published(own_server) == [old, new]
    assert own_server.agent.introspect(subject_token)["active"]
    own_server.clock.forward(seconds=2)
    assert published(own_server) == [new]


def test_the_file_of_a_key_goes_with_the_next_rotation_after_its_end(own_server: AuthServer) -> None:
    folder = own_server.settings.data_dir / "keys"
    for _ in range(3):
        own_server.clock.forward(minutes=16)
        rotate(own_server)
    assert len(list(folder.iterdir())) == 2
    own_server.clock.forward(minutes=1)
    rotate(own_server)
    assert len(list(folder.iterdir())) == 2 + 1


def test_two_rotations_in_a_row_keep_every_key_whose_tokens_live(own_server: AuthServer) -> None:
    tokens = own_server.sign_on(own_server.new_customer())
    held = [tokens.token_for(ISSUER)]
    for _ in range(2):
        own_server.clock.forward(seconds=30)
        rotate(own_server)
        held.append(tokens.token_for(ISSUER))
    assert len({header(token)["kid"] for token in held}) == 3
    assert all(own_server.app.introspect(token)["active"] for token in held)


def test_an_id_token_of_the_old_key_is_still_a_good_hint(own_server: AuthServer) -> None:
    tokens = own_server.sign_on(own_server.new_customer())
    own_server.clock.forward(seconds=1)
    rotate(own_server)
    page = tokens.browser.open("/end-session", [("id_token_hint", tokens.first["id_token"])])
    assert "You are signed out" in page.text


def test_the_command_rotates_the_key_of_the_running_server(
    tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer
) -> None:
    clock = SetClock(datetime.now(UTC))
    with running_server(tmp_path, app_keys, agent_keys, clock) as server:
        tokens = server.sign_on(server.new_customer())
        old_token = tokens.token_for(ISSUER)
        [old] = published(server)
        done = subprocess.run(
            [sys.executable, "-m", "auth_server", "rotate-key"],
            env=os.environ | {"DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        clock.now = utc_now()
        assert len(published(server)) == 2
        new = header(tokens.token_for(ISSUER))["kid"]
        assert done.stdout.startswith(f"new signing key {new}\n")
        assert new != old
        assert server.app.introspect(old_token)["active"]


def test_the_command_says_how_it_is_used() -> None:
    command = [sys.executable, "-m", "auth_server", "rotate-key", "--help"]
    assert "DATA_DIR" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_command_names_a_setting_that_is_wrong() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "auth_server", "rotate-key"],
        env=os.environ | {"ISSUER": "http://elsewhere.example"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "issuer" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_makes_no_key_where_no_server_has_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "auth_server", "rotate-key"],
        env=os.environ | {"DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"there is no key in {tmp_path / 'keys'}" in done.stderr
    assert not (tmp_path / "keys").exists()
