"""The tools that the model is offered: what each takes, which one scope it needs, which call it makes."""

from abc import abstractmethod
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final

from openai.types.chat import ChatCompletionFunctionToolParam
from pydantic import BaseModel, ConfigDict, Field

from chatbot.money import minor_units
from chatbot.tool_results import AccountList, Balance, TransactionPage, TransferReceipt
from delegation.scope import Scope

AccountId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9-]{1,32}$",
        description="The number of one of the customer's own accounts, e.g. 4001-01",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of the account API, through the gateway: a REST request, or of the MCP tool of that operation.

    `parameters` are those in the path template.
    """

    method: str
    template: str
    mcp_tool: str
    parameters: dict[str, str] = field(default_factory=dict)
    query: dict[str, str | int] = field(default_factory=dict)
    body: dict[str, Any] | None = None

    @property
    def path(self) -> str:
        """Return the request's path."""
        return self.template.format(**self.parameters)

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the MCP tool's arguments: all that the request says, under the same names."""
        return {**self.parameters, **self.query, **(self.body or {})}


class Arguments(BaseModel):
    """What a tool takes. The model's arguments are validated against it, and its schema is made from it."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    @abstractmethod
    def call(self) -> Call:
        """Return the call that does it.

        Raises:
            ValueError: the arguments do not fit together.
        """


class ListAccounts(Arguments):
    """No arguments."""

    def call(self) -> Call:
        """Return `GET /accounts`."""
        return Call(method="GET", template="/accounts", mcp_tool="list_accounts")


class ReadBalance(Arguments):
    """Which account."""

    account_id: AccountId

    def call(self) -> Call:
        """Return `GET /accounts/{account_id}/balance`."""
        return Call(
            method="GET",
            template="/accounts/{account_id}/balance",
            mcp_tool="read_balance",
            parameters={"account_id": self.account_id},
        )


class ReadTransactions(Arguments):
    """Which account, and which of its transactions."""

    account_id: AccountId
    from_date: Annotated[date | None, Field(description="First day of booking, YYYY-MM-DD")] = None
    to_date: Annotated[date | None, Field(description="Last day of booking, YYYY-MM-DD")] = None
    limit: Annotated[int, Field(ge=1, le=100, description="How many at most, newest first")] = 20
    cursor: Annotated[str | None, Field(max_length=64, description="next_cursor of the page before")] = None

    def call(self) -> Call:
        """Return `GET /accounts/{account_id}/transactions`."""
        query: dict[str, str | int] = {
            "from": self.from_date.isoformat() if self.from_date else "",
            "to": self.to_date.isoformat() if self.to_date else "",
            "limit": self.limit,
            "cursor": self.cursor or "",
        }
        given = {name: value for name, value in query.items() if value}
        return Call(
            method="GET",
            template="/accounts/{account_id}/transactions",
            mcp_tool="read_transactions",
            parameters={"account_id": self.account_id},
            query=given,
        )


class Transfer(Arguments):
    """How much, from where, to whom, what for."""

    from_account: AccountId
    to: Annotated[
        str,
        Field(
            min_length=1,
            max_length=70,
            description="The name of a saved payee, or the number of an own account",
        ),
    ]
    amount: Annotated[Decimal, Field(gt=0, max_digits=12, description="In major units, e.g. 12.50")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="Of the paying account, e.g. EUR")]
    memo: Annotated[str | None, Field(max_length=140, description="What the payee reads")] = None

    def call(self) -> Call:
        """Return `POST /transfers`."""
        amount = {"amount_minor": minor_units(self.amount, self.currency), "currency": self.currency}
        body = {"from_account": self.from_account, "to": self.to, "amount": amount}
        return Call(
            method="POST",
            template="/transfers",
            mcp_tool="transfer",
            body=body | ({"memo": self.memo} if self.memo else {}),
        )


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: what the model reads of it, the one scope it needs, and what it is for in plain words.

    `writes` tells that a call of it must not be made twice.
    """

    name: str
    operation: str
    scope: Scope
    purpose: str
    description: str
    arguments: type[Arguments]
    result: type[BaseModel]
    writes: bool = False

    def as_param(self) -> ChatCompletionFunctionToolParam:
        """Return the tool in the form of the Chat Completions protocol."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": self.arguments.model_json_schema(),
            },
        }


TOOLS: Final = (
    Tool(
        name="list_accounts",
        operation="account.list",
        scope=Scope({"account:read_balance"}),
        purpose="see the accounts and balances",
        description="List the customer's accounts with number, name, type, balance and what is available.",
        arguments=ListAccounts,
        result=AccountList,
    ),
    Tool(
        name="read_balance",
        operation="account.read_balance",
        scope=Scope({"account:read_balance"}),
        purpose="see the accounts and balances",
        description="Read the balance of one account as it is now.",
        arguments=ReadBalance,
        result=Balance,
    ),
    Tool(
        name="read_transactions",
        operation="account.read_transactions",
        scope=Scope({"account:read_transactions"}),
        purpose="see the transactions",
        description="Read transactions of one account, newest first. A negative amount left the account.",
        arguments=ReadTransactions,
        result=TransactionPage,
    ),
    Tool(
        name="transfer",
        operation="account.transfer",
        scope=Scope({"account:transfer"}),
        purpose="transfer money",
        description="Transfer money, at once and for good. Only after the customer has said yes to amount, "
        "paying account and payee.",
        arguments=Transfer,
        result=TransferReceipt,
        writes=True,
    ),
)


def scope_to_ask_for(called: Tool) -> Scope:
    """Return all that a challenge to a call can make the agent ask for: what its own tools need.

    A call that reads never leads to a token that can move money.
    """
    return Scope(scope for tool in TOOLS if called.writes or not tool.writes for scope in tool.scope)
