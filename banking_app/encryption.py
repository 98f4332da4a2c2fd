"""What the database holds of a customer is unreadable without the key file beside it."""

import os
import tempfile
from pathlib import Path
from typing import TypeVar

from cryptography.fernet import Fernet, InvalidToken
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class Unreadable(Exception):
    """The value was sealed with another key, was changed, or has an older shape."""


class Vault:
    """Seals models for storage: AES-128-CBC with HMAC-SHA256 (Fernet), key in a file of mode 0600."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    @classmethod
    def load_or_create(cls, path: Path) -> "Vault":
        """Read the key from `path`, or make it there.

        Raises:
            ValueError: the file does not hold a Fernet key.
        """
        if not path.exists():
            _write_once(path, Fernet.generate_key())
        return cls(path.read_bytes())

    def seal(self, model: BaseModel) -> bytes:
        """Return the model encrypted and authenticated."""
        return self._fernet.encrypt(model.model_dump_json(by_alias=True).encode())

    def unseal(self, sealed: bytes, model: type[Model]) -> Model:
        """Return what was sealed.

        Raises:
            Unreadable: there is nothing trustworthy in it.
        """
        try:
            return model.model_validate_json(self._fernet.decrypt(sealed))
        except (InvalidToken, ValidationError):
            raise Unreadable(f"a stored {model.__name__} cannot be read with this key") from None


def _write_once(path: Path, content: bytes) -> None:
    # mkstemp makes the file with mode 0600; the hard link puts it in place whole and never overwrites.
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        path.hardlink_to(name)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()
