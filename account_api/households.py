"""The bank's first customers and how they live: what the seeded history is made from. Amounts in cents."""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Bill:
    """What is paid from the checking account on one day (1 to 28) of each month."""

    day: int
    counterparty: str
    description: str
    category: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Habit:
    """What is bought now and then, at one of several places, for an amount between two bounds."""

    counterparties: tuple[str, ...]
    description: str
    category: str
    times_a_week: float
    least_minor: int
    most_minor: int
    by_card: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """One customer: accounts `<number>-01` checking, `-02` savings and `-03` credit card."""

    sub: str
    name: str
    number: str
    employer: str
    salary_minor: int
    monthly_saving_minor: int
    opening_checking_minor: int
    opening_savings_minor: int
    overdraft_limit_minor: int
    card_limit_minor: int
    bills: tuple[Bill, ...]
    habits: tuple[Habit, ...]
    payees: tuple[str, ...]

    @property
    def checking(self) -> str:
        """Return the checking account's id."""
        return f"{self.number}-01"

    @property
    def savings(self) -> str:
        """Return the savings account's id."""
        return f"{self.number}-02"

    @property
    def card(self) -> str:
        """Return the credit card account's id."""
        return f"{self.number}-03"


_GROCERIES: Final = Habit(
    ("Green Market", "Corner Grocer", "Fresh & Co"), "Groceries", "groceries", 2.3, 1_480, 8_960
)
_FAMILY_GROCERIES: Final = replace(_GROCERIES, times_a_week=3.0)
_COFFEE: Final = Habit(
    ("Cafe Aurora", "Bakery Sommer", "Noodle Bar Kim"), "Lunch", "eating out", 2.0, 320, 1_690
)
_RESTAURANTS: Final = Habit(
    ("Trattoria Gino", "Lima Kitchen", "The Copper Pan"),
    "Dinner",
    "eating out",
    0.9,
    1_900,
    6_400,
    by_card=True,
)
_SHOPPING: Final = Habit(
    ("Paper & Pixel Books", "Nordhaus Living", "Thread Society"),
    "Online order",
    "shopping",
    0.6,
    1_290,
    11_900,
    by_card=True,
)
_TRAVEL: Final = Habit(
    ("Intercity Rail", "Pedal Bike Hire"), "Ticket", "transport", 0.4, 890, 5_490, by_card=True
)
_CASH: Final = Habit(("Cash machine Main Street",), "Cash withdrawal", "cash", 0.3, 4_000, 8_000)

HOUSEHOLDS: Final = (
    Household(
        sub="customer@example.com",
        name="Alex Morgan",
        number="4001",
        employer="Northwind Software",
        salary_minor=298_540,
        monthly_saving_minor=30_000,
        opening_checking_minor=258_437,
        opening_savings_minor=840_000,
        overdraft_limit_minor=50_000,
        card_limit_minor=300_000,
        bills=(
            Bill(1, "Green Landlord", "Rent", "housing", 105_000),
            Bill(2, "Metro Transport", "Monthly pass", "transport", 5_800),
            Bill(3, "Iron Works Gym", "Membership", "leisure", 3_490),
            Bill(5, "City Energy", "Electricity and heating", "utilities", 7_850),
            Bill(8, "Fiberline", "Internet and phone", "utilities", 3_499),
            Bill(10, "StreamBox", "Subscription", "subscriptions", 1_299),
            Bill(12, "Maria Lopez", "Shared holiday fund", "transfer", 4_000),
            Bill(14, "Soundwave", "Subscription", "subscriptions", 1_099),
            Bill(15, "Harbor Insurance", "Household insurance", "insurance", 4_120),
        ),
        habits=(_GROCERIES, _COFFEE, _RESTAURANTS, _SHOPPING, _TRAVEL, _CASH),
        payees=(
            "Maria Lopez",
            "Sam Okafor",
            "City Energy",
            "Green Landlord",
            "Fiberline",
            "Harbor Insurance",
        ),
    ),
    Household(
        sub="maria@example.com",
        name="Maria Lopez",
        number="4002",
        employer="Riverside Hospital",
        salary_minor=341_210,
        monthly_saving_minor=25_000,
        opening_checking_minor=342_915,
        opening_savings_minor=1_520_000,
        overdraft_limit_minor=100_000,
        card_limit_minor=400_000,
        bills=(
            Bill(1, "Lindenhof Housing", "Rent", "housing", 118_000),
            Bill(2, "Metro Transport", "Monthly pass", "transport", 5_800),
            Bill(5, "City Energy", "Electricity and heating", "utilities", 9_120),
            Bill(6, "Little Oaks Nursery", "Child care", "family", 28_000),
            Bill(9, "Bluecell Mobile", "Phone", "utilities", 2_499),
            Bill(11, "StreamBox", "Subscription", "subscriptions", 1_299),
            Bill(18, "Harbor Insurance", "Car insurance", "insurance", 6_230),
        ),
        habits=(_FAMILY_GROCERIES, _COFFEE, _SHOPPING, _TRAVEL),
        payees=("Alex Morgan", "Sam Okafor", "City Energy", "Lindenhof Housing", "Little Oaks Nursery"),
    ),
    Household(
        sub="sam@example.com",
        name="Sam Okafor",
        number="4003",
        employer="Atlas Logistics",
        salary_minor=246_780,
        monthly_saving_minor=15_000,
        opening_checking_minor=196_450,
        opening_savings_minor=231_500,
        overdraft_limit_minor=30_000,
        card_limit_minor=150_000,
        bills=(
            Bill(1, "Green Landlord", "Rent", "housing", 82_000),
            Bill(3, "Car Loan Direct", "Instalment", "loans", 19_900),
            Bill(5, "City Energy", "Electricity", "utilities", 5_640),
            Bill(7, "Bluecell Mobile", "Phone", "utilities", 1_999),
            Bill(13, "Pixel Arcade", "Subscription", "subscriptions", 1_499),
            Bill(20, "Alex Morgan", "Football tickets", "transfer", 2_500),
        ),
        habits=(_GROCERIES, _COFFEE, _RESTAURANTS, _SHOPPING, _CASH),
        payees=("Alex Morgan", "Maria Lopez", "City Energy", "Green Landlord", "Car Loan Direct"),
    ),
)
