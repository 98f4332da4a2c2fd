"""The programs of `[agent_registry]`: run in turn, and a run that cannot rely on them is unsound."""

import os
import sys
from pathlib import Path

import pytest

from tests.e2e.agent_switch import SwitchingProgram, suspended
from tests.e2e.rules import rules
from tests.e2e.runner import try_rule
from tests.e2e.target import Target
from tests.e2e.target_file import AgentRegistryFile
from tests.e2e.verdict import UnsoundRun, Verdict


def program(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def writing(file: Path, word: str) -> tuple[str, ...]:
    return program(f"open({str(file)!r}, 'a').write({word!r})")


def test_the_agent_goes_on_whatever_happens_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "said"
    section = AgentRegistryFile(suspend=writing(file, "suspend "), resume=writing(file, "resume"))

    def check_that_breaks() -> None:
        with suspended(SwitchingProgram(section, os.environ)):
            assert file.read_text() == "suspend "
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        check_that_breaks()
    assert file.read_text() == "suspend resume"


@pytest.mark.parametrize("command", [program("raise SystemExit(3)"), ("no-such-program",)])
def test_a_program_that_fails_says_nothing_about_the_target(command: tuple[str, ...]) -> None:
    section = AgentRegistryFile(suspend=command, resume=command)
    with pytest.raises(UnsoundRun, match=r"agent_registry\.suspend failed"):
        SwitchingProgram(section, os.environ)("suspend")


def test_without_programs_the_rule_is_not_run(target: Target) -> None:
    file = target.file.model_copy(update={"agent_registry": None})
    lacking = Target(file, target.wire, target.authorization_server, {})
    result = try_rule(lacking, rules()["LC-76"])
    assert result.verdict is Verdict.NOT_RUN
    assert "[agent_registry]" in result.reason
