"""This service's own records: their chain, who signs it, how long they are kept."""

import httpx2

from account_api import tables
from account_api.settings import Settings
from delegation.checkpoint_client import CHECKPOINT_SCOPE, CheckpointClient
from delegation.client_credentials import ClientCredentials
from delegation.clock import Clock
from delegation.record_checkpoint import When
from delegation.record_keeping import Keeping
from delegation.record_retention import Books, Transaction
from delegation.signing_key import SigningKey

SERVICE = "account_api"
STEP = 6


def books(
    settings: Settings, transaction: Transaction, key: SigningKey, http: httpx2.AsyncClient, clock: Clock
) -> Books:
    """Return the records as what keeps, prunes and verifies them takes them."""
    credentials = ClientCredentials(
        settings.token_endpoint, settings.issuer, settings.client_id, key, http, clock, scope=CHECKPOINT_SCOPE
    )
    endpoint = settings.checkpoints_endpoint
    return Books(
        transaction=transaction,
        table=tables.record,
        service=SERVICE,
        step=STEP,
        signed_as=settings.client_id,
        sign=CheckpointClient(endpoint, credentials, http).sign if endpoint else None,
    )


def keeping(settings: Settings, kept: Books, clock: Clock) -> Keeping:
    """Return what the running service does for its records."""
    return Keeping(
        books=kept,
        clock=clock,
        record_days=settings.record_days,
        checkpoints=When(records=settings.checkpoint_records, seconds=settings.checkpoint_seconds),
    )
