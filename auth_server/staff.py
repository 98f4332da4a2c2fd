"""Members of staff: added and given their role at the command line, and nowhere else."""

from typing import Annotated, Final

from pydantic import StringConstraints, TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from auth_server.agent_details import RegistryError, Text
from auth_server.agent_history import By
from auth_server.disabling import hold, note
from auth_server.ended_tokens import end_at_resources
from auth_server.people import find_person
from auth_server.registered_agents import find_agent
from auth_server.tables import Staff

_SIGN_ON_NAME: Final = TypeAdapter(
    Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[!-?A-~]+@[!-?A-~]+$"
        ),
    ]
)
_SHORTEST_PASSWORD: Final = 8
_LONGEST_PASSWORD: Final = 1024


def check_password(password: str) -> str:
    """Return a password that the sign-on page takes.

    Raises:
        RegistryError: it is too short (NIST SP 800-63B §5.1.1.1) or too long.
    """
    if not _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise RegistryError(f"the password must have {_SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters")
    return password


def add_staff(db: Session, sub: str, name: str, role: str, password_hash: str, by: By) -> Staff:
    """Add a member of staff; `sub` is an e-mail address, kept in small letters as people sign on with it.

    Raises:
        RegistryError: the name is malformed, or somebody's already.
    """
    try:
        sub, name = _SIGN_ON_NAME.validate_python(sub), TypeAdapter(Text).validate_python(name)
    except ValidationError as error:
        raise RegistryError("SUB must be an e-mail address, and --name a plain text") from error
    if find_person(db, sub) is not None or find_agent(db, sub) is not None:
        raise RegistryError(f"{sub} is the name of another party")
    member = Staff(sub=sub, name=name, role=role, password_hash=password_hash)
    db.add(member)
    note(db, member, "add", by, role)
    return member


def change_role(db: Session, sub: str, role: str, by: By) -> Staff:
    """Give a member of staff another role; it counts from the next request on, whatever their tokens say.

    Raises:
        NoSuchPerson: no member of staff has this name.
        RegistryError: they have this role already.
    """
    member = hold(db, Staff, sub)
    if member.role == role:
        raise RegistryError(f"{sub} is {role} already")
    what, member.role = f"{role}, who was {member.role}", role
    end_at_resources(db, sub, by.at)
    note(db, member, "role", by, what)
    return member
