"""A run as JUnit XML, for build servers."""

from typing import Any
from xml.etree import ElementTree

from tests.e2e.rules import SECTIONS


def junit(report: dict[str, Any]) -> str:
    """Return the report as JUnit XML: a suite for each section, a case for each rule.

    Rules that were not tried are skipped with their reason, and so are failures that the target file expects.
    """
    root = ElementTree.Element(
        "testsuites", name=_printable(report["target"]["name"]), time=str(report["seconds"])
    )
    for letters, title in SECTIONS.items():
        results = [one for one in report["results"] if one["id"].startswith(letters)]
        if results:
            _suite(ElementTree.SubElement(root, "testsuite", name=title), results, report["began_at"])
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(suite: ElementTree.Element, results: list[dict[str, Any]], began_at: str) -> None:
    for one in results:
        name = f"{one['id']} {one['sentence']}"
        case = ElementTree.SubElement(
            suite, "testcase", classname=one["id"], name=name, time=str(one["seconds"])
        )
        skipped = one["reason"] or (one["expected_failure"] if one["actual"] else "")
        if one["expected_failure"] and not one["actual"]:
            message = "the target file says that this fails, and it does not"
            ElementTree.SubElement(case, "failure", type="stale", message=message)
        elif skipped:
            ElementTree.SubElement(case, "skipped", message=_printable(skipped))
        elif one["actual"]:
            message = f"expected {one['expected']}; got {one['actual']}"
            kind = "error" if one["unsound"] else "failure"
            told = ElementTree.SubElement(case, kind, type=one["verdict"], message=_printable(message))
            told.text = _printable(f"{one['source']}\n{one['mend']}\n\n{_decisive(one)}")
    suite.set("tests", str(len(suite)))
    suite.set("timestamp", began_at.removesuffix("+00:00"))
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))


def _decisive(one: dict[str, Any]) -> str:
    if not one["evidence"]:
        return ""
    pair = one["evidence"][one["decisive"]]
    return f"{pair['request']}\n\n{pair['answer']}"


def _printable(text: str) -> str:
    """Leave out what XML 1.0 cannot hold."""
    return "".join(c if c in "\n\t" or (c >= " " and c not in "\ufffe\uffff") else "\ufffd" for c in text)
