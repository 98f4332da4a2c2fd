"""The keys that sign checkpoints: the signing keys, whose public halves are kept as long as checkpoints."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from auth_server.signing_keys import SigningKeys
from delegation.record_chain import Head
from delegation.record_checkpoint import TYPE, checkpoint_claims
from delegation.secret_file import write_once
from delegation.signing_key import SigningKey


class CheckpointKeys:
    """Signs checkpoints with the current signing key; the folder has a public JWK for each key that ever did.

    A key that tokens need no more stays there: what it signed must be verifiable for years. It verifies
    checkpoints only, and never a token again.
    """

    def __init__(self, issuer: str, keys: SigningKeys, folder: Path) -> None:
        self._issuer = issuer
        self._keys = keys
        self._folder = folder

    def sign(self, service: str, head: Head, at: datetime, *, is_cut: bool) -> str:
        """Return a checkpoint that says that this is the head of the service's chain at this time."""
        key = self._keys.current()
        self._keep(key)
        return key.sign(checkpoint_claims(self._issuer, service, head, at, is_cut=is_cut), TYPE)

    def published(self) -> dict[str, Any]:
        """Return the JWK set (RFC 7517 §5) of every key that may have signed a checkpoint."""
        kept = [json.loads(file.read_text()) for file in sorted(self._folder.glob("*.json"))]
        known = {key["kid"] for key in kept}
        return {"keys": kept + [key.public_jwk for key in self._keys.published() if key.kid not in known]}

    def _keep(self, key: SigningKey) -> None:
        file = self._folder / f"{key.kid}.json"
        if not file.exists():
            write_once(file, json.dumps(key.public_jwk).encode())
