"""The console's search over the records of three services: joined, paged, complete or said not to be."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import httpx2
import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from banking_app.audit_export import as_csv, as_json_lines
from banking_app.audit_records import Trace
from banking_app.audit_source import AuditSource, Question
from banking_app.audit_trail import AuditTrail, allowed_by
from banking_app.audit_whole import MOST_EXPORTED, Export, export
from banking_app.decision_history import decision_history
from banking_app.failures import Refused, SessionOver
from banking_app.rendering import render
from banking_app.screens.console_audit import export_shown
from tests.banking_app.audit_service import START, AuditService
from tests.issuer import AGENT, CUSTOMER

Services = dict[str, AuditService]
NAMES = ("auth_server", "gateway", "account_api")
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture
def services() -> Iterator[Services]:
    with ExitStack() as serving:
        yield {name: serving.enter_context(AuditService().serving()) for name in NAMES}


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(verify=False) as http:
        yield http


@pytest.fixture
def trail(services: Services, http: httpx2.Client) -> AuditTrail:
    return AuditTrail({name: source(name, services[name].url, http) for name in NAMES})


def source(name: str, url: str, http: httpx2.Client) -> AuditSource:
    return AuditSource(name, url, http, lambda session_id: f"token-of-{session_id}-for-{name}")


def add_call(services: Services, number: int, minute: float = 0, **changed: object) -> None:
    """Add one delegated call: issuance, decision and execution, a second apart."""
    issuance = {"service": "auth_server", "step": 4, "operation": "token.exchange"}
    services["auth_server"].add(number, minute, **changed | issuance)
    services["gateway"].add(number, minute + 1 / 60, **changed)
    services["account_api"].add(number, minute + 2 / 60, service="account_api", step=6, **changed)


def ids(traces: tuple[Trace, ...]) -> list[int]:
    return [int(trace.trace_id, 16) for trace in traces]


def test_issuance_decision_and_execution_stand_together_newest_trace_first(
    trail: AuditTrail, services: Services
) -> None:
    add_call(services, 1)
    add_call(services, 2, minute=5)
    found = trail.search("s", Question())
    assert ids(found.traces) == [2, 1]
    assert [record.stage for record in found.traces[0].records] == ["Issuance", "Decision", "Execution"]
    assert found.traces[0].operations == ("account.read_balance",)
    assert (found.traces[0].actor, found.traces[0].sub) == (AGENT, CUSTOMER)
    assert not found.lacking


def test_a_trace_is_the_customers_though_the_agent_gets_its_own_token_on_the_way(
    trail: AuditTrail, services: Services
) -> None:
    own = {"service": "auth_server", "step": 3, "operation": "token.actor", "sub": AGENT, "act": []}
    services["auth_server"].add(1, -1, **own)
    add_call(services, 1)
    services["account_api"].add(1, 1, service="account_api", operation="records.read", act=[])
    [trace] = trail.search("s", Question()).traces
    assert (trace.sub, trace.actor) == (CUSTOMER, AGENT)
    assert trace.operations == ("account.read_balance",)


def test_each_service_is_asked_with_its_own_token(trail: AuditTrail, services: Services) -> None:
    trail.search("s", Question())
    assert {name: service.tokens for name, service in services.items()} == {
        name: [f"token-of-s-for-{name}"] for name in NAMES
    }


def test_what_is_searched_for_is_what_each_service_is_asked(trail: AuditTrail, services: Services) -> None:
    question = Question(
        sub=CUSTOMER,
        agent=AGENT,
        operation="account.transfer",
        decision="deny",
        since=START,
        until=START + timedelta(days=1),
        trace_id="a" * 32,
    )
    trail.search("s", question)
    assert services["gateway"].asked == [
        {
            "sub": CUSTOMER,
            "agent": AGENT,
            "operation": "account.transfer",
            "decision": "deny",
            "from": "2026-11-24T09:00:00+00:00",
            "to": "2026-11-25T09:00:00+00:00",
            "trace_id": "a" * 32,
            "order": "newest",
            "limit": "60",
        }
    ]


def test_a_search_by_operation_shows_the_issuance_too(trail: AuditTrail, services: Services) -> None:
    add_call(services, 1)
    services["gateway"].add(2, 1, operation="account.list")
    [trace] = trail.search("s", Question(operation="account.read_balance")).traces
    assert [record.service for record in trace.records] == list(NAMES)


def test_paging_loses_no_record_and_shows_no_half_trace(trail: AuditTrail, services: Services) -> None:
    for number in range(1, 26):
        add_call(services, number, minute=number)
    services["account_api"].records = services["account_api"].records[:3]  # it was quiet later on
    found = trail.search("s", Question(), limit=10)
    assert ids(found.traces) == list(range(25, 15, -1))
    while found.more:
        found = trail.go_on("s", found, limit=10)
    assert ids(found.traces) == list(range(25, 0, -1))
    assert [len(trace.records) for trace in found.traces] == [2] * 22 + [3] * 3


@pytest.mark.parametrize(
    "answer", [JSONResponse({}, 500), PlainTextResponse("no"), JSONResponse({"records": [{}]})]
)
def test_a_service_that_fails_is_named_and_the_others_are_shown(
    trail: AuditTrail, services: Services, answer: JSONResponse
) -> None:
    add_call(services, 1)
    services["gateway"].answer = answer
    found = trail.search("s", Question())
    assert found.lacking.keys() == {"gateway"}
    assert found.lacking["gateway"].startswith("Agent gateway: ")
    assert [record.service for record in found.traces[0].records] == ["auth_server", "account_api"]


def test_a_refusal_is_told_in_the_services_words(trail: AuditTrail, services: Services) -> None:
    services["auth_server"].answer = JSONResponse({"detail": "Nobody of your role may do this."}, 403)
    found = trail.search("s", Question())
    assert found.lacking["auth_server"] == "Authorization server: Nobody of your role may do this."


def test_staff_without_a_token_for_a_service_are_told_so(services: Services, http: httpx2.Client) -> None:
    def refused(_session_id: str) -> str:
        raise Refused("The sign-on service did not renew your access.", "invalid_target")

    trail = AuditTrail({"gateway": AuditSource("agent gateway", services["gateway"].url, http, refused)})
    assert "You get no token for these records" in trail.search("s", Question()).lacking["gateway"]


def test_a_session_that_is_over_is_not_taken_for_a_service_that_fails(
    services: Services, http: httpx2.Client
) -> None:
    def over(_session_id: str) -> str:
        raise SessionOver

    trail = AuditTrail({"gateway": AuditSource("agent gateway", services["gateway"].url, http, over)})
    with pytest.raises(SessionOver):
        trail.search("s", Question())


def test_a_service_whose_setting_is_empty_is_left_out_and_known_as_such(
    services: Services, http: httpx2.Client
) -> None:
    sources = {"auth_server": source("auth_server", services["auth_server"].url, http)}
    trail = AuditTrail(sources | {"gateway": source("gateway", "", http)})
    assert trail.not_offered == ("gateway",)
    assert trail.offered
    assert not AuditTrail({"gateway": source("gateway", "", http)}).offered
    assert trail.search("s", Question()).traces == ()


def test_who_allowed_it_is_the_consent_that_was_in_force_then(trail: AuditTrail, services: Services) -> None:
    giving = {"service": "auth_server", "step": 1, "operation": "grant.give", "client_id": "banking-app"}
    services["auth_server"].add(90, -60, **giving)
    services["auth_server"].add(91, -30, **giving)
    services["auth_server"].add(92, -20, **giving | {"sub": "maria@example.com"})
    add_call(services, 1)
    services["auth_server"].add(93, 30, **giving)
    found = trail.search("s", Question(trace_id=f"{1:032x}"))
    given = allowed_by(found.traces[0], trail.permissions("s", Question(sub=CUSTOMER, agent=AGENT)))
    assert given is not None
    assert given.time == START - timedelta(minutes=30)


def test_decisions_are_counted_by_hour_and_over_a_longer_time_by_day(
    trail: AuditTrail, services: Services
) -> None:
    gateway = services["gateway"]
    for minute, decision in ((0, "permit"), (1, "deny"), (2, "permit"), (150, "deny")):
        gateway.add(1, minute, decision=decision)
    gateway_records = trail.search("s", Question()).records
    bins = decision_history(gateway_records)
    assert [(each.allowed, each.refused) for each in bins] == [(2, 1), (0, 0), (0, 1)]
    gateway.add(2, 60 * 24 * 5)
    daily = decision_history(trail.search("s", Question()).records)
    assert [(each.allowed, each.refused) for each in daily] == [
        (2, 2),
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (1, 0),
    ]
    assert decision_history([], 12) == ()
    padded = decision_history(gateway_records[-1:], 12)
    assert [each.allowed for each in padded] == [0] * 11 + [1]


def test_records_are_taken_away_as_json_lines_and_as_csv(trail: AuditTrail, services: Services) -> None:
    add_call(services, 1, reason='=cmd|"/C calc"!A0, and "more"')
    traces = trail.search("s", Question()).traces
    lines = [json.loads(line) for line in as_json_lines(traces).splitlines()]
    assert [line["service"] for line in lines] == list(NAMES)
    assert lines[1]["trace_id"] == f"{1:032x}"
    assert lines[1]["act"] == [AGENT]
    rows = list(csv.DictReader(io.StringIO(as_csv(traces))))
    assert [row["service"] for row in rows] == list(NAMES)
    assert rows[0]["reason"] == '\'=cmd|"/C calc"!A0, and "more"'
    assert rows[0]["resource"] == "/accounts/4001-01/balance"


def test_a_download_holds_all_that_is_found_and_not_only_the_page_that_is_shown(
    trail: AuditTrail, services: Services
) -> None:
    for number in range(1, 1102):
        add_call(services, number, minute=number)
    assert len(trail.search("s", Question()).traces) < 100
    whole = trail.export("s", Question())
    assert ids(whole.traces) == list(range(1101, 0, -1))
    assert (whole.count, whole.cut, whole.lacking) == (3303, (), {})
    assert len(as_json_lines(whole.traces).splitlines()) == 3303
    assert len(list(csv.reader(io.StringIO(as_csv(whole.traces))))) == 3304


def test_a_download_of_one_operation_holds_the_other_records_of_the_same_traces(
    trail: AuditTrail, services: Services
) -> None:
    for number in range(1, 1102):
        add_call(services, number, minute=number / 100)
        services["gateway"].add(number + 5000, number / 100, operation="account.list")
    whole = trail.export("s", Question(operation="account.read_balance"))
    assert (len(whole.traces), whole.count, whole.cut) == (1101, 3303, ())


def test_a_download_says_of_which_service_there_is_more_and_which_failed(
    services: Services, http: httpx2.Client
) -> None:
    for number in range(1, 8):
        services["auth_server"].add(number, number, service="auth_server")
    services["gateway"].add(1)
    services["account_api"].answer = JSONResponse({}, 500)
    sources = {name: source(name, services[name].url, http) for name in NAMES}
    whole = export(sources, "s", Question(), most=5)
    assert ids(whole.traces) == [7, 6, 5, 4, 3, 1]
    assert whole.cut == ("auth_server",)
    assert whole.lacking.keys() == {"account_api"}
    page = render("console_export.html", **export_shown(whole))
    assert "Authorization server: there are more than 10,000" in page
    assert "The download is not complete." in page
    assert "everything that was found" not in page
    complete = render("console_export.html", **export_shown(Export(whole.traces, (), {})))
    assert "6 records in all: everything that was found" in complete


def test_the_page_states_the_bound_of_a_download_and_what_an_owner_is_not_shown() -> None:
    for is_owner in (True, False):
        page = render("console_audit.html", missing=[], offered=True, is_owner=is_owner)
        assert f"up to {MOST_EXPORTED:,} records of each service" in page
        assert ("to administrators and auditors only" in page) == is_owner


def test_an_owner_is_shown_one_services_records_and_no_other_is_asked(
    trail: AuditTrail, services: Services
) -> None:
    add_call(services, 1)
    found = trail.only("auth_server").search("s", Question(agent=AGENT))
    assert [record.service for record in found.traces[0].records] == ["auth_server"]
    assert not found.lacking
    assert (services["gateway"].asked, services["account_api"].asked) == ([], [])


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", "\uff0b1"]
)
def test_no_cell_is_run_as_a_formula(trail: AuditTrail, services: Services, text: str) -> None:
    add_call(services, 1, reason=text, sub=text, resource=text, scope=text, act=[text])
    for row in csv.DictReader(io.StringIO(as_csv(trail.search("s", Question()).traces))):
        assert {row[name] for name in ("reason", "sub", "resource", "scope", "act")} == {f"'{text}"}


def test_what_others_wrote_is_text_on_the_page(trail: AuditTrail, services: Services) -> None:
    add_call(services, 1, reason=HOSTILE, operation=HOSTILE, resource=HOSTILE, sub=HOSTILE, scope=HOSTILE)
    found = trail.search("s", Question())
    rows = [(trace, None) for trace in found.traces]
    page = render("console_traces.html", rows=rows, lacking=[HOSTILE], more=False)
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<img" not in page
