"""The options of `python -m <service> audit …`, and what they say."""

import argparse
import getpass
from datetime import UTC, datetime
from typing import Any

from delegation.record_query import MOST_AT_ONCE


def add_audit_parser(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    """Add `audit` and its own commands to a service's command line."""
    audit = commands.add_parser(
        "audit",
        help="the records: verify their chain, list them, remove old ones",
        description="Works beside the running service, with its DATA_DIR or DATABASE_URL. Exit status: 0 "
        "done, and the chain is intact; 1 the chain is not intact; 2 it cannot be told or done.",
    )
    every = audit.add_subparsers(dest="action", required=True, metavar="COMMAND")
    verify = every.add_parser(
        "verify",
        help="name the first record that was changed, removed, inserted or reordered",
        description="Computes every hash anew and checks the signature of every checkpoint.",
    )
    verify.add_argument(
        "--jwks",
        metavar="FILE|URL",
        help="the keys that signed checkpoints, as the auth server's /checkpoint-keys has them; else those "
        "that this service knows",
    )
    verify.add_argument(
        "--checkpoint",
        dest="kept",
        action="append",
        default=[],
        metavar="FILE",
        help="checkpoints that were kept elsewhere, as audit checkpoints printed them, one a line; - for "
        "standard input; may be repeated",
    )
    verify.add_argument("--json", dest="as_json", action="store_true", help="print JSON and no table")
    every.add_parser(
        "checkpoints",
        help="print the newest checkpoint, to be kept elsewhere for verify --checkpoint",
        description="Prints the newest signed checkpoint as one line.",
    )
    _add_list(every)
    prune = every.add_parser(
        "prune",
        help="remove the records older than some days",
        description="Removes the oldest records, up to the first that is younger. The cut is recorded and "
        "signed, and what is left can be verified from there.",
    )
    prune.add_argument("--older-than", required=True, type=_days, metavar="DAYS", help="how old, in days")
    prune.add_argument("--by", default=_system_user(), metavar="NAME", help="who decided, for the record")
    prune.add_argument("--json", dest="as_json", action="store_true", help="print JSON and no table")


def _add_list(every: Any) -> None:  # noqa: ANN401 - as above
    listing = every.add_parser("list", help="list records", description="List records, oldest first.")
    listing.add_argument("--customer", dest="sub", metavar="SUB", help="for this customer")
    listing.add_argument("--agent", metavar="ID", help="by this agent: an actor of the chain, or the client")
    listing.add_argument("--operation", help="of this operation")
    listing.add_argument("--decision", choices=("permit", "deny"), help="with this decision")
    listing.add_argument(
        "--from", dest="since", type=_time, metavar="TIME", help="at this time (ISO 8601; UTC) or later"
    )
    listing.add_argument("--to", dest="until", type=_time, metavar="TIME", help="before this time")
    listing.add_argument("--trace-id", help="of this trace")
    listing.add_argument("--jti", help="under the token with this identifier")
    listing.add_argument(
        "--after", type=_position, default=0, metavar="POSITION", help="after this position: the next page"
    )
    listing.add_argument(
        "--limit", type=_limit, default=100, metavar="N", help=f"at most so many, {MOST_AT_ONCE} at most"
    )
    listing.add_argument(
        "--format", dest="form", choices=("table", "json", "jsonl", "csv"), default="table", help="table"
    )


def _days(text: str) -> float:
    days = float(text)
    if not 0 <= days <= 36_600:
        raise argparse.ArgumentTypeError(f"{text} is no number of days")
    return days


def _limit(text: str) -> int:
    limit = int(text)
    if not 1 <= limit <= MOST_AT_ONCE:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to {MOST_AT_ONCE}")
    return limit


def _position(text: str) -> int:
    position = int(text)
    if not 0 <= position < 2**63:
        raise argparse.ArgumentTypeError(f"{text} is no position of a record")
    return position


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not ISO 8601, such as 2026-06-15T12:00:00Z") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need have no name
        return "the operator"
