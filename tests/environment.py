"""Settings as the environment in which a command line reads them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from pydantic import BaseModel, SecretStr


@contextmanager
def environment(settings: BaseModel) -> Iterator[None]:
    """Set every variable that says what the settings say."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    plain = {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
    }
    with patch.dict(os.environ, plain):
        yield
