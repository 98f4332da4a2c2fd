"""The demo's three members of staff, one of each role."""

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth_server.demo_customers import DEMO_CUSTOMERS
from auth_server.passwords import Passwords
from auth_server.tables import Customer, Staff

DEMO_STAFF: Final = {
    "admin@example.com": ("Ada Novak", "administrator"),
    "olivia@example.com": ("Olivia Hart", "owner"),
    "audit@example.com": ("Tom Becker", "auditor"),
}
DEMO_OWNER: Final = "olivia@example.com"
"""Who answers for the demo's agent."""


def seed_staff(db: Session, password: str, passwords: Passwords) -> None:
    """Add the demo's staff where there is none; do nothing without a password for them.

    Its password is public: a database with customers of its own, from before there was staff, gets none.
    """
    if not password or db.scalar(select(func.count()).select_from(Staff)):
        return
    if set(db.scalars(select(Customer.sub))) - DEMO_CUSTOMERS.keys():
        return
    for sub, (name, role) in DEMO_STAFF.items():
        db.add(Staff(sub=sub, name=name, role=role, password_hash=passwords.hash(password)))
