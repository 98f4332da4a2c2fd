"""What an agent did lately: its newest decisions, and how many were allowed and refused over time."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from banking_app.administration_client import Agent
from banking_app.audit_source import MOST_AT_ONCE, Question
from banking_app.decision_history import Bin, by_hour, decision_history
from banking_app.parties import PARTIES
from banking_app.rendering import render
from banking_app.screens.visitor import Customer
from banking_app.services import Services

_RECENT: Final = 8
_BINS: Final = 12
"""The fewest hours or days in the chart: a lone one would fill its whole width."""
_COLOURS: Final = {"Allowed": "#3d9468", "Refused": "#cf5b56"}
"""Both can be told apart from either theme's background; the tooltip and the table say it in words."""


def draw(services: Services, who: Customer, agent: Agent) -> None:
    """Draw the chart and the newest decisions; what cannot be had is said in their place."""
    trail = services.audit_trail
    lacking: dict[str, str] = {
        name: f"{PARTIES[name]}: its records are not shown here." for name in trail.not_offered
    }
    found = trail.search(who.session_id, Question(agent=agent.agent_id), MOST_AT_ONCE)
    lacking |= found.lacking
    acts = [record for record in found.records if record.actor == agent.agent_id]
    newest = sorted(acts, key=lambda record: record.time, reverse=True)
    bins = decision_history(newest, _BINS)
    st.html(
        render(
            "console_decisions_head.html",
            bins=bins,
            hourly=by_hour(newest),
            lacking=lacking.values(),
            agent=agent,
        )
    )
    if bins:
        with st.container(key="decisions-chart"):
            st.vega_lite_chart(_chart(bins, hourly=by_hour(newest)), width="stretch")
        st.html(render("console_decisions.html", bins=bins, hourly=by_hour(newest), records=newest[:_RECENT]))


def _chart(bins: Sequence[Bin], *, hourly: bool) -> dict[str, Any]:
    values = [
        {"Time": each.start.isoformat(), "Decision": name, "Count": count}
        for each in bins
        for name, count in (("Allowed", each.allowed), ("Refused", each.refused))
    ]
    form = "%d %b, %H:%M" if hourly else "%d %b"
    return {
        "data": {"values": values},
        "height": 220,
        "mark": {"type": "bar", "cornerRadiusTopLeft": 3, "cornerRadiusTopRight": 3, "maxBand": 28},
        "encoding": {
            "x": {
                "field": "Time",
                "type": "ordinal",
                "timeUnit": "utcyearmonthdatehours" if hourly else "utcyearmonthdate",
                "title": None,
                "axis": {"format": form, "labelAngle": 0, "labelOverlap": True, "grid": False},
            },
            "xOffset": {"field": "Decision"},
            "y": {
                "field": "Count",
                "type": "quantitative",
                "title": None,
                "axis": {"tickMinStep": 1, "tickCount": 4},
            },
            "color": {
                "field": "Decision",
                "scale": {"domain": list(_COLOURS), "range": list(_COLOURS.values())},
                "legend": {"orient": "top", "title": None},
            },
            "tooltip": [
                {"field": "Time", "type": "temporal", "format": form},
                {"field": "Decision"},
                {"field": "Count"},
            ],
        },
    }
