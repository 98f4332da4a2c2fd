"""The demo's three customers, so that "not yours" can be shown; the account API has accounts for the same."""

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth_server.passwords import Passwords
from auth_server.tables import Customer

DEMO_CUSTOMERS: Final = {
    "customer@example.com": "Alex Morgan",
    "maria@example.com": "Maria Lopez",
    "sam@example.com": "Sam Okafor",
}


def seed_customers(db: Session, password: str, passwords: Passwords) -> None:
    """Add the demo's customers to an empty database; do nothing without a password for them."""
    if not password or db.scalar(select(func.count()).select_from(Customer)):
        return
    for sub, name in DEMO_CUSTOMERS.items():
        db.add(Customer(sub=sub, name=name, password_hash=passwords.hash(password)))
