"""`python -m <service> audit …`: verify, list and prune a service's records, beside the running service."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
from jwt import PyJWK
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from delegation.clock import Clock, utc_now
from delegation.database import open_database, reading
from delegation.jwks import usable_keys
from delegation.kept_checkpoint import BadKept, kept_heads
from delegation.record import written
from delegation.record_checkpoint import NoSignature, newest_checkpoint
from delegation.record_export import as_csv, as_json_lines
from delegation.record_query import Page, Question, answers
from delegation.record_retention import Books, prune
from delegation.record_table import chain_table
from delegation.record_verification import Verdict, verify

_KEYS_TIMEOUT_SECONDS: Final = 5.0
_SAY_EVERY: Final = 50_000


class CannotTell(Exception):
    """There are no records or no keys where the settings say; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """The service whose records these are.

    `books` makes what prunes them, of an engine and an HTTP client. `own_keys` are a JWK set that the service
    has itself, or the address of one. `checkpoint_seconds` is how long records may stand
    without a checkpoint.
    """

    database_url: str
    sqlite_file: Path
    books: Callable[[Engine, httpx2.AsyncClient], Books]
    own_keys: Callable[[], Mapping[str, Any] | str]
    checkpoint_seconds: int
    clock: Clock = utc_now


def run_audit(arguments: argparse.Namespace, audited: Audited) -> int:
    """Do what was asked; returns the exit status that `audit --help` tells."""
    try:
        engine = _engine(audited)
        try:
            return asyncio.run(_act(arguments, audited, engine))
        finally:
            engine.dispose()
    except (CannotTell, BadKept, NoSignature) as error:
        sys.stderr.write(f"audit {arguments.action}: {error}\n")
    except SQLAlchemyError as error:
        # The driver's text may hold values; its kind is enough to look further.
        sys.stderr.write(
            f"audit {arguments.action}: the database does not answer ({type(error).__name__}); check "
            "DATABASE_URL and DATA_DIR, and start the service once after an update\n"
        )
    return 2


def _engine(audited: Audited) -> Engine:
    if not audited.database_url and not audited.sqlite_file.exists():
        raise CannotTell(f"there is no {audited.sqlite_file}: check DATA_DIR, and start the service once")
    return open_database(audited.database_url, audited.sqlite_file)


async def _act(arguments: argparse.Namespace, audited: Audited, engine: Engine) -> int:
    async with httpx2.AsyncClient() as http:
        books = audited.books(engine, http)
        if not inspect(engine).has_table(chain_table(books.table).name):
            raise CannotTell("this database has no chain of records yet: start the service once")
        match arguments.action:
            case "verify":
                return await _verify(arguments, audited, engine, books, http)
            case "prune":
                return await _prune(arguments, audited, books)
            case "checkpoints":
                return _newest(engine, books)
        return _list(arguments, engine, books)


async def _verify(
    arguments: argparse.Namespace, audited: Audited, engine: Engine, books: Books, http: httpx2.AsyncClient
) -> int:
    keys: Mapping[str, PyJWK] = {}
    lack = ""
    try:
        keys = await _keys(arguments.jwks or audited.own_keys(), http)
    except CannotTell as error:
        if arguments.jwks or arguments.kept:
            raise
        lack = f"; {error}"

    def say(records: int) -> None:
        if records % _SAY_EVERY == 0:
            sys.stderr.write(f"{records} records verified\n")

    kept = kept_heads(arguments.kept, keys, books.signed_as)
    with reading(engine) as connection:
        verdict = verify(connection, books.table, books.signed_as, keys, say, kept)
    untold = verdict.fault is None and verdict.unknown_keys > 0 and verdict.checkpoints == 0
    lacks = _lacks(verdict, audited, books)
    if untold:
        lacks.append(f"no signature could be verified: give their keys by --jwks{lack}")
    if arguments.as_json:
        intact = None if lacks else verdict.fault is None
        sys.stdout.write(json.dumps({"intact": intact} | asdict(verdict), indent=2) + "\n")
    else:
        sys.stdout.write(_as_table(verdict, lacks))
    for each in lacks:
        sys.stderr.write(f"audit verify: {each}\n")
    return 1 if verdict.fault else 2 if lacks else 0


def _lacks(verdict: Verdict, audited: Audited, books: Books) -> list[str]:
    """Return why it cannot be told whether a chain without a fault is intact."""
    lacks: list[str] = []
    if verdict.fault is not None:
        return lacks
    if verdict.kept_before_cut:
        lacks.append(
            f"{verdict.kept_before_cut} of the checkpoints kept elsewhere are of records that were removed "
            "since; they show nothing: give newer ones"
        )
    is_signed = verdict.signed_position > verdict.cut or verdict.unknown_keys
    limit = written(audited.clock() - timedelta(seconds=audited.checkpoint_seconds))
    if books.sign and not is_signed and verdict.oldest is not None and verdict.oldest < limit:
        lacks.append(
            f"NOT SIGNED: there are records since {verdict.oldest} and no checkpoint of any, although "
            "checkpoints are on: either none could be had, or somebody removed them; give one that was "
            "kept elsewhere, by --checkpoint"
        )
    return lacks


def _newest(engine: Engine, books: Books) -> int:
    with reading(engine) as connection:
        jws = newest_checkpoint(connection, books.table)
    if jws is None:
        raise CannotTell("there is no checkpoint yet: see CHECKPOINTS_ENDPOINT, or wait for the first")
    sys.stdout.write(f"{jws}\n")
    return 0


async def _keys(source: Mapping[str, Any] | str, http: httpx2.AsyncClient) -> Mapping[str, PyJWK]:
    try:
        if isinstance(source, Mapping):
            return usable_keys(source)
        if source.startswith(("http://", "https://")):
            response = await http.get(source, timeout=_KEYS_TIMEOUT_SECONDS)
            response.raise_for_status()
            return usable_keys(response.json())
        return usable_keys(json.loads(await asyncio.to_thread(Path(source).read_text)))
    except (OSError, ValueError, RecursionError, httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise CannotTell(f"no JWK set can be had from {source} ({type(error).__name__})") from error


async def _prune(arguments: argparse.Namespace, audited: Audited, books: Books) -> int:
    now = audited.clock()
    before = now - timedelta(days=arguments.older_than)
    cut = await prune(books, before, now, arguments.by, lambda _record: None)
    if arguments.as_json:
        sys.stdout.write(json.dumps({"cut": asdict(cut) if cut else None}) + "\n")
    elif cut is None:
        sys.stdout.write("there was nothing to remove\n")
    else:
        sys.stdout.write(f"removed up to position {cut.position}, hash {cut.hash}\n")
    return 0


def _list(arguments: argparse.Namespace, engine: Engine, books: Books) -> int:
    question = Question(**{field.name: getattr(arguments, field.name) for field in fields(Question)})
    page = Page(after=arguments.after, limit=arguments.limit)
    with reading(engine) as connection:
        found = answers(connection, books.table, question, page)
    match arguments.form:
        case "json":
            sys.stdout.write(json.dumps(found, indent=2) + "\n")
        case "jsonl":
            sys.stdout.write(as_json_lines(found))
        case "csv":
            sys.stdout.write(as_csv(found))
        case _:
            for row in found:
                actors = ",".join(row["act"]) or row["client_id"] or "-"
                line = (row["position"], row["time"], row["decision"], row["operation"], row["sub"] or "-")
                sys.stdout.write(" ".join(map(str, (*line, actors, row["reason"]))) + "\n")
    return 0


def _as_table(verdict: Verdict, lacks: Sequence[str]) -> str:
    intact = "CANNOT TELL: see below" if lacks else "intact"
    rows = {
        "records": f"{verdict.records}, the last at position {verdict.position}",
        "begin": f"after position {verdict.cut}, cut" if verdict.cut else "at position 1",
        "checkpoints": f"{verdict.checkpoints} verified, the last at position {verdict.signed_position}; "
        f"{verdict.unknown_keys} by keys not given; {verdict.kept} kept elsewhere fit",
        "unchained": f"{verdict.unchained} from before there was a chain, of which nothing is known",
        "chain": f"NOT INTACT: {verdict.fault}" if verdict.fault else intact,
    }
    return "".join(f"{name:12} {text}\n" for name, text in rows.items())
