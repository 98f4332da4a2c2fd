"""The six steps of the documented flow, and who takes part in them, in the words that the pages use."""

from dataclasses import dataclass
from typing import Final

PARTIES: Final = {
    "customer": "You",
    "banking_app": "Banking app",
    "chatbot": "Assistant",
    "auth_server": "Authorization server",
    "gateway": "Agent gateway",
    "account_api": "Account API",
}
"""Display names by service, in the order in which a question travels."""


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One step of the flow: number, names, from whom to whom, what it is, and why it may be refused."""

    number: int
    title: str
    short: str
    source: str
    target: str
    says: str
    if_refused: str = ""

    @property
    def columns(self) -> tuple[int, int]:
        """Return where its arrow begins and ends, as positions among the parties, from 1."""
        order = list(PARTIES)
        return order.index(self.source) + 1, order.index(self.target) + 1


FLOW: Final = (
    FlowStep(
        1,
        "User authentication",
        "Sign-on",
        "customer",
        "auth_server",
        "You sign on at the authorization server. The banking app receives tokens and keeps them on its "
        "server; your browser only holds a cookie.",
    ),
    FlowStep(
        2,
        "Request for action",
        "Request",
        "banking_app",
        "chatbot",
        "Your question goes to the assistant together with the subject token: it says who you are, what may "
        "be delegated at most, and which assistant you allowed.",
    ),
    FlowStep(
        3,
        "Token exchange",
        "Exchange",
        "chatbot",
        "auth_server",
        "The assistant shows two tokens, yours (subject) and its own (actor), and asks for a new one that is "
        "good for this one operation.",
    ),
    FlowStep(
        4,
        "Issuance of the delegation token",
        "Delegation token",
        "auth_server",
        "chatbot",
        "The authorization server checks your permission and issues a short-lived token: you are the "
        "subject, the assistant is the actor, one audience, the least scope.",
        "No exchange gives more than the customer's grant, which is looked up each time: what was not "
        "allowed or is withdrawn is refused at once, although the subject token is still good.",
    ),
    FlowStep(
        5,
        "Gateway validation",
        "Gateway",
        "chatbot",
        "gateway",
        "The agent gateway intercepts the call, verifies the token, and decides by policy whether this actor "
        "may do this operation.",
        "The gateway's policy file says for each operation which scope, audience and actors it takes; "
        "everything else is denied.",
    ),
    FlowStep(
        6,
        "Secure execution",
        "Execution",
        "gateway",
        "account_api",
        "The account API verifies the token for itself, serves the request, and records which agent acted "
        "for which customer.",
        "The token was good, and the bank still said no: its own rules hold for an assistant as for anybody.",
    ),
)


def flow_step(number: int) -> FlowStep:
    """Return a step of the flow by its number, 1 to 6."""
    return FLOW[number - 1]


def party(service: str) -> str:
    """Return a service's display name; the name itself for a service that is not ours."""
    return PARTIES.get(service, service)
