"""The demo's agent: registered from the settings at the first start; from then on the registry counts."""

from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth_server.agent_details import details
from auth_server.agent_history import By
from auth_server.agent_registry import edit, register
from auth_server.agent_tables import RegisteredAgent
from auth_server.demo_staff import DEMO_OWNER
from auth_server.scopes import DESCRIPTIONS
from auth_server.settings import Settings
from auth_server.tables import Staff

_WHO: Final = "auth_server"
_PURPOSE: Final = "Answers customers' questions about their accounts in the banking app, and sends payments"


def seed_agent(db: Session, settings: Settings, now: datetime) -> None:
    """Register the agent of the settings in an empty registry.

    Later a changed AGENT_JWKS_URI, and nothing else of the settings, reaches this agent: where a service is
    found is the deployment's business. What staff set meanwhile stays until the setting changes again.
    """
    if db.scalar(select(func.count()).select_from(RegisteredAgent)) == 0:
        new = details(
            agent_id=settings.agent_id,
            name=settings.agent_name,
            purpose=_PURPOSE,
            owner=settings.agent_owner,
            owner_sub=DEMO_OWNER if db.get(Staff, DEMO_OWNER) else None,
            jwks_uri=settings.agent_jwks_uri,
            scopes={settings.account_api_audience: list(DESCRIPTIONS)},
        )
        why = "the first start with an empty registry"
        row = register(db, new, By(who=_WHO, why=why, at=now), taken=settings.other_parties)
        row.jwks_uri_setting = settings.agent_jwks_uri
        return
    seeded = db.get(RegisteredAgent, settings.agent_id)
    if seeded is None or seeded.jwks_uri_setting in (None, settings.agent_jwks_uri):
        return
    seeded.jwks_uri_setting = settings.agent_jwks_uri
    if seeded.state != "retired" and seeded.jwks_uri != settings.agent_jwks_uri:
        changes = {"jwks_uri": settings.agent_jwks_uri, "jwks": []}
        edit(db, seeded.agent_id, changes, By(who=_WHO, why="AGENT_JWKS_URI has changed", at=now))
