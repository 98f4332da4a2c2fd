"""The settings are checked at the start: the gateway never guesses what an address was meant to be."""

import pytest
from pydantic import ValidationError

from gateway.settings import Settings


@pytest.mark.parametrize(
    "address",
    [
        "localhost:8505",
        "http://localhost:8505/",
        "http://h/api",
        "http://u@h",
        "http://h?x",
        "ftp://h",
        "http://",
    ],
)
def test_the_resource_is_an_origin_so_that_no_path_but_the_callers_is_sent(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTREAM_URL", address)
    with pytest.raises(ValidationError, match="upstream_url"):
        Settings()


@pytest.mark.parametrize(
    "address", ["http://localhost:8503", "http://localhost:8503/metadata", "/.well-known/x"]
)
def test_the_metadata_address_is_the_well_known_one_of_an_origin(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESOURCE_METADATA_URL", address)
    with pytest.raises(ValidationError, match="resource_metadata_url"):
        Settings()
