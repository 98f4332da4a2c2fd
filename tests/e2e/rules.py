"""The catalogue of rules, read from `rules.toml`."""

import re
import tomllib
from collections import Counter
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

FILE: Final = Path(__file__).with_name("rules.toml")
SECTIONS: Final = {
    "TX": "Token exchange",
    "AS": "Token endpoint and sign-on",
    "RS": "Tokens at the resource",
    "LC": "Lifecycle",
}
"""What the letters of an id stand for, in the order of reports."""

Kind = Literal["MUST", "SHOULD", "profile"]
Party = Literal["authorization server", "resource"]
Transport = Literal["REST", "MCP"]
"""How a resource is called."""
Feature = Literal[
    "act",
    "actor_policy",
    "actor_token",
    "agent_registry",
    "authorization_code",
    "chain",
    "challenge",
    "ended_tokens",
    "idempotency",
    "introspection",
    "jwt_access_token",
    "may_act",
    "mcp",
    "metadata",
    "operation_scope",
    "own_interfaces",
    "ownership",
    "private_key_jwt",
    "proxy",
    "records",
    "resource_metadata",
    "revocation",
    "scope",
    "sign_out",
    "target",
]
"""What a target may do without; it says so in `[not_offered]` of its file."""
Need = Literal[
    "agent_switch",
    "app",
    "authorization_server",
    "id_token",
    "issued_tokens",
    "keyless_instance",
    "mcp_address",
    "minting",
    "observed_backend",
    "other_actor_token",
    "resource_minting",
    "resource_token",
    "sign_on",
]
"""What the suite must be given to try a rule."""

_ID: Final = re.compile(r"(TX|AS|RS|LC)-\d{2}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what holds, where it is written, who keeps it, and what it takes to try it."""

    id: str
    sentence: str
    kind: Kind
    source: str
    target: Party
    features: tuple[Feature, ...] = ()
    needs: tuple[Need, ...] = ()
    transports: tuple[Transport, ...] = ("REST", "MCP")
    """By what the check is run, where the resource has both; of no matter for an authorization server."""
    mend: str = ""
    untested: str = ""

    @property
    def section(self) -> str:
        """Return the letters that the id begins with."""
        return self.id[:2]

    @property
    def is_profile(self) -> bool:
        """Tell whether the rule is stricter than the cited text."""
        return self.kind == "profile"


@cache
def rules() -> dict[str, Rule]:
    """Return every rule by its id, in the order of the sections and numbers."""
    listed = [_rule(entry) for entry in tomllib.loads(FILE.read_text(encoding="utf-8"))["rule"]]
    twice = [rule_id for rule_id, count in Counter(rule.id for rule in listed).items() if count > 1]
    if twice:
        raise ValueError(f"{FILE.name} lists {', '.join(twice)} twice")
    order = list(SECTIONS)
    listed.sort(key=lambda rule: (order.index(rule.section), rule.id))
    return {rule.id: rule for rule in listed}


def _rule(entry: dict[str, Any]) -> Rule:
    rule_id = str(entry.get("id"))
    unknown = entry.keys() - {field.name for field in fields(Rule)}
    if unknown:
        raise ValueError(f"{FILE.name}: {rule_id} has the unknown fields {', '.join(sorted(unknown))}")
    lists: dict[str, Any] = {
        name: tuple(entry[name]) for name in ("features", "needs", "transports") if name in entry
    }
    rule = Rule(**entry | lists)
    one_of: list[tuple[str, Any]] = [(rule.kind, Kind), (rule.target, Party)]
    one_of += [(name, Feature) for name in rule.features] + [(name, Need) for name in rule.needs]
    one_of += [(name, Transport) for name in rule.transports]
    for value, allowed in one_of:
        if value not in get_args(allowed):
            raise ValueError(f"{FILE.name}: {rule_id}: {value} is none of {', '.join(get_args(allowed))}")
    if not _ID.match(rule_id) or not rule.sentence.endswith(".") or not rule.source:
        raise ValueError(f"{FILE.name}: {rule_id} must have an id like TX-06, a sentence and a source")
    if bool(rule.mend) == bool(rule.untested):
        raise ValueError(f"{FILE.name}: {rule_id} must say how to mend it, or why it is untested")
    return rule
