"""Requests good and bad in many ways, as bytes: made by chance, and the same ones for the same seed."""

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import jwt

from delegation.signing_key import SigningKey
from tests.issuer import ACCOUNT_API, AGENT, CUSTOMER

OTHER_AGENT, ENDED_AGENT = "https://card-agent.example.com", "https://ended-agent.example.com"
ENDED_JTI, ENDED_CUSTOMER = "a-token-that-has-ended", "ended@example.com"
ALL = "account:read_balance account:read_transactions account:transfer"
CHAIN = (
    AGENT,
    OTHER_AGENT,
    "https://third.example.com",
    "https://fourth.example.com",
    "https://fifth.example.com",
)
ORDER = {"to": "rent", "amount": {"amount_minor": 100, "currency": "EUR"}}
JSON = "application/json"

OPERATIONS = (
    ("GET", "/accounts"),
    ("GET", "/accounts/4001-01"),
    ("DELETE", "/accounts/4001-01"),
    ("PUT", "/accounts/4001-01/note"),
    ("PATCH", "/accounts/4001-01"),
    ("GET", "/events"),
    ("POST", "/transfers"),
    ("POST", "/transfers"),
)


@dataclass(frozen=True)
class Made:
    """One request: `flaws` says what was done to a good one."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    body: bytes | None = None
    chunked: bool = False
    flaws: tuple[str, ...] = ()

    @property
    def raw(self) -> bytes:
        """Return the request as it goes over the wire."""
        fields = [("Host", "gateway"), *self.fields]
        body = self.body or b""
        if self.chunked:
            fields.append(("Transfer-Encoding", "chunked"))
            body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        elif self.body is not None:
            fields.append(("Content-Length", str(len(body))))
        lines = [
            f"{self.method} {self.target} HTTP/1.1",
            *(f"{name}: {value}" for name, value in fields),
            "",
            "",
        ]
        return "\r\n".join(lines).encode("latin-1") + body


class Maker:
    """Makes requests: a good one of any operation, and then none, one or more flaws."""

    def __init__(self, seed: int, key: SigningKey, issuer: str, now: datetime) -> None:
        self._chance = random.Random(seed)
        self._key, self._foreign = key, SigningKey.generate()
        self._issuer = issuer
        self._now = int(now.timestamp())
        self._number = 0

    def request(self) -> Made:
        """Make the next request."""
        method, target = self._chance.choice(OPERATIONS)
        token, told = self._token()
        made = Made(method, target, (("Authorization", f"Bearer {token}"),), flaws=(told,) if told else ())
        if method in {"POST", "PATCH", "PUT"}:
            made = self._with_body(made)
        for flaw in (self._path, self._query, self._field, self._field, self._authorization):
            if self._chance.random() < 0.12:
                made = flaw(made)
        return made

    def _one(self, *choices: Any) -> Any:
        return self._chance.choice(choices)

    def _token(self) -> tuple[str, str]:
        now, scope = self._now, ALL
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": ACCOUNT_API,
            "sub": self._one(CUSTOMER, "second@example.com", "third@example.com"),
            "client_id": AGENT,
            "act": {"sub": self._one(AGENT, AGENT, OTHER_AGENT)},
            "scope": scope,
            "jti": f"token-{self._next()}",
            "iat": now - 10,
            "exp": now + 600,
        }
        header: dict[str, Any] = {"typ": "at+jwt", "kid": self._key.kid}
        key, told = self._key, ""
        if self._chance.random() < 0.6:
            told, change = self._chance.choice(self._claim_flaws())
            claims |= change
        if self._chance.random() < 0.12:
            told, change = self._chance.choice(self._header_flaws())
            header |= change
        if self._chance.random() < 0.04:
            key, told = self._foreign, "another key"
        return self._signed(header, {n: v for n, v in claims.items() if v is not None}, key, told)

    def _claim_flaws(self) -> list[tuple[str, dict[str, Any]]]:
        now = self._now
        found: list[tuple[str, dict[str, Any]]] = [
            (f"without {name}", {name: None})
            for name in ("iss", "aud", "sub", "client_id", "act", "scope", "jti", "iat", "exp")
        ]
        found += [
            (f"{name} no text", {name: 7}) for name in ("iss", "aud", "sub", "client_id", "scope", "jti")
        ]
        found += [
            (f"aud {aud}", {"aud": aud})
            for aud in ("https://other", ["https://other"], [], ["x", ACCOUNT_API])
        ]
        found += [(f"iss {iss}", {"iss": iss}) for iss in ("https://other", self._issuer + "/")]
        found += [(f"exp {s}", {"exp": now + s}) for s in (-3600, -61, -1, 0, 900, 1800)]
        found += [(f"iat {s}", {"iat": now + s}) for s in (3600, 61, 3, -600)]
        found += [(f"nbf {s}", {"nbf": now + s}) for s in (3600, 61, -10)]
        found += [
            ("exp text", {"exp": str(now + 60)}),
            ("exp true", {"exp": True}),
            ("exp fraction", {"exp": now + 600.5}),
            ("iat fraction", {"iat": now - 9.5}),
            ("exp huge", {"exp": 10**30}),
        ]
        scopes = (
            "",
            "account:read_balance",
            "account:transfer",
            "account:transferred",
            "account:*",
            "a  b",
            f" {ALL}",
        )
        found += [(f"scope {scope}", {"scope": scope}) for scope in scopes]
        found += [
            ("scope list", {"scope": ALL.split()}),
            ("scope backwards", {"scope": " ".join(ALL.split()[::-1])}),
        ]
        found += [(f"depth {depth}", {"act": chain(*CHAIN[:depth])}) for depth in range(1, 6)]
        found += [
            (f"act {act!r}", {"act": act})
            for act in (AGENT, {}, {"sub": ""}, {"sub": [AGENT]}, {"sub": None})
        ]
        found += [(f"act {name}", {"act": {"sub": AGENT} | more}) for name, more in ACTS.items()]
        found += [
            (f"actor {sub}", {"act": {"sub": sub}}) for sub in (AGENT + "/", AGENT.upper(), "x", ENDED_AGENT)
        ]
        found += [
            ("ended jti", {"jti": ENDED_JTI}),
            ("ended customer", {"sub": ENDED_CUSTOMER, "iat": now - 60}),
        ]
        found += [("ended client", {"client_id": ENDED_AGENT}), ("extra", {"x": {"y": [None, 1.5, "z"]}})]
        details: tuple[Any, ...] = (
            [{"type": "account_transfer", "max_amount_minor": 50}],
            [{"type": "other"}],
            [],
            {},
            "x",
        )
        found += [(f"details {one}", {"authorization_details": one}) for one in details]
        return found

    def _header_flaws(self) -> list[tuple[str, dict[str, Any]]]:
        found: list[tuple[str, dict[str, Any]]] = [
            (f"typ {typ}", {"typ": typ})
            for typ in ("JWT", "at+JWT", "application/at+jwt", "", None, 7, "at+jwtx")
        ]
        found += [(f"kid {kid!r}", {"kid": kid}) for kid in ("", "unknown", None, 7, "../../x", "' or 1=1")]
        found += [
            ("crit", {"crit": ["x"], "x": 1}),
            ("b64", {"b64": False}),
            ("jku", {"jku": "http://127.0.0.1:9/"}),
        ]
        return [*found, ("jwk", {"jwk": self._foreign.public_jwk})]

    def _signed(
        self, header: dict[str, Any], claims: dict[str, Any], key: SigningKey, told: str
    ) -> tuple[str, str]:
        head = {"alg": "ES256"} | {name: value for name, value in header.items() if value is not None}
        way = self._chance.random()
        if way < 0.02:
            return part(head | {"alg": "none"}) + "." + part(claims) + ".", f"{told} alg none"
        if way < 0.04:
            token = jwt.api_jws.encode(
                json.dumps(claims).encode(), "secret" * 6, "HS256", headers={"kid": key.kid, "typ": "at+jwt"}
            )
            return token, f"{told} HS256"
        data = f"{part(head)}.{part(claims)}"
        signature = jwt.get_algorithm_by_name("ES256").sign(data.encode(), key.private_key)
        token = f"{data}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
        if way < 0.10:
            flaws: tuple[tuple[str, Callable[[str], str]], ...] = (
                ("cut", lambda one: one[:-3]),
                ("changed", lambda one: one[:-9] + ("A" if one[-9] != "A" else "B") + one[-8:]),
                ("padded", lambda one: one + "="),
                ("four parts", lambda one: one + ".x"),
                ("two parts", lambda one: one.rpartition(".")[0]),
                ("space inside", lambda one: one[:20] + " " + one[20:]),
                ("no JWT", lambda _: "opaque"),
                ("long", lambda one: one + "A" * 9000),
            )
            name, change = self._chance.choice(flaws)
            return change(token), f"{told} {name}"
        return token, told

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _with_body(self, made: Made) -> Made:
        text = json.dumps(ORDER).encode()
        told, body = "", text
        if self._chance.random() < 0.5:
            bodies = {
                "other amount": json.dumps(
                    ORDER
                    | {
                        "amount": {
                            "amount_minor": self._one(0, 50, 51, 1000, 1001, -1, 10**20),
                            "currency": "EUR",
                        }
                    }
                ).encode(),
                "amount text": text.replace(b"100", b'"100"'),
                "amount fraction": text.replace(b"100", b"100.0"),
                "amount twice": text.replace(b'"amount_minor"', b'"Amount_Minor": 1, "amount_minor"'),
                "no amount": b'{"to": "rent"}',
                "array": b"[]",
                "empty": b"",
                "cut": text[:-1],
                "two": text + text,
                "NaN": text.replace(b"100", b"NaN"),
                "not UTF-8": text.replace(b"rent", b"r\xffnt"),
                "UTF-16": text.decode().encode("utf-16"),
                "BOM": b"\xef\xbb\xbf" + text,
                "umlaut": text.replace(b"rent", "für Ä€".encode()),
                "NUL": text.replace(b"rent", b"r\x00nt"),
                "deep": b'{"to": ' + b"[" * 2000 + b"]" * 2000 + b"}",
                "as long as may be": text + b" " * (65536 - len(text)),
                "a byte too long": text + b" " * (65537 - len(text)),
                "too long": text + b" " * 100_000,
            }
            told, body = self._chance.choice(list(bodies.items()))
        types = (
            JSON,
            JSON,
            JSON,
            JSON,
            "application/json; charset=utf-8",
            "APPLICATION/JSON",
            "text/plain",
            "",
            "application/json; charset=utf-16",
        )
        kind = self._chance.choice(types)
        fields = (*made.fields, ("Content-Type", kind)) if kind else made.fields
        flaws = (*made.flaws, *filter(None, (told, kind if kind != JSON else "")))
        return replace(made, fields=fields, body=body, chunked=self._chance.random() < 0.3, flaws=flaws)

    def _path(self, made: Made) -> Made:
        if self._chance.random() < 0.3:
            method = self._one(
                "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PROPFIND", "get", "TRACE"
            )
            return replace(made, method=method, flaws=(*made.flaws, f"method {method}"))
        target = self._chance.choice(TARGETS)
        return replace(made, target=target, flaws=(*made.flaws, f"target {target}"))

    def _query(self, made: Made) -> Made:
        query = self._chance.choice(QUERIES)
        return replace(made, target=f"{made.target}?{query}", flaws=(*made.flaws, f"query {query[:40]}"))

    def _field(self, made: Made) -> Made:
        fields = self._chance.choice(FIELDS)
        return replace(made, fields=(*made.fields, *fields), flaws=(*made.flaws, f"fields {fields}"[:80]))

    def _authorization(self, made: Made) -> Made:
        value = made.fields[0][1].removeprefix("Bearer ")
        ways = (
            ("none", ()),
            ("empty", (("Authorization", ""),)),
            ("lower case", (("authorization", f"bearer {value}"),)),
            ("mixed case", (("AUTHORIZATION", f"bEARer {value}"),)),
            ("spaces", (("Authorization", f"Bearer   {value}  "),)),
            ("tab", (("Authorization", f"Bearer\t{value}"),)),
            ("no scheme", (("Authorization", value),)),
            ("Basic", (("Authorization", "Basic dXNlcjpwYXNz"),)),
            ("DPoP", (("Authorization", f"DPoP {value}"),)),
            ("comma", (("Authorization", f"Bearer {value},x"),)),
            ("umlaut", (("Authorization", f"Bearer {value}\xe4"),)),
            ("twice", (("Authorization", f"Bearer {value}"), ("Authorization", f"Bearer {value}"))),
            ("two", (("Authorization", "Basic x"), ("Authorization", f"Bearer {value}"))),
        )
        told, fields = self._chance.choice(ways)
        return replace(made, fields=(*fields, *made.fields[1:]), flaws=(*made.flaws, f"authorization {told}"))


ACTS: dict[str, dict[str, Any]] = {
    "of this issuer": {"iss": "http://localhost:8502"},
    "of another issuer": {"iss": "https://other"},
    "with more": {"exp": 1, "aud": "x"},
    "with nothing behind": {"act": None},
}
TARGETS = (
    "/",
    "*",
    "//accounts",
    "/accounts/",
    "/accounts//4001-01",
    "/accounts/../accounts",
    "/accounts/./4001-01",
    "/accounts/..",
    "/accounts/%2e%2e",
    "/accounts/4001%2f01",
    "/accounts/%34001-01",
    "/accounts/4001%00",
    "/accounts/4001;x=1",
    "/accounts/40\\01",
    "/accounts/40|01",
    "/accounts/40\xe901",
    "/accounts/{account_id}",
    "/accounts/a,b",
    "/accounts/a:b@c!$&'()*+=~",
    "/accounts/5001",
    "/Accounts",
    "/accounts#fragment",
    "/accounts/4001-01/note/x",
    "/transfers/1",
    "/admin",
    "/audit",
    "/access/v1/evaluation",
    "/.well-known/authzen-configuration/x",
    "/ext-authz/accounts",
    "/ext-authz",
    "http://gateway/accounts",
    "http://elsewhere/accounts",
    "/accounts/" + "a" * 3000,
)
QUERIES = (
    "",
    "limit=5",
    "limit=51",
    "limit=5&limit=6",
    "limit=%35",
    "limit=+5",
    "limit=005",
    "limit=x",
    "LIMIT=51",
    "limit=5;limit=60",
    "a=b?c=d",
    "a=%00",
    "a=%zz",
    "a=\xe9",
    'a=<>{}^|`"',
    "access_token=x",
    "a=1&access_token=",
    "x=" + "y" * 3000,
    "a=#b",
    "/../accounts",
)
FIELDS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("User-Agent", "agent/1.0 (x, like y)"),),
    (("User-Agent", "one"), ("User-Agent", "two")),
    (("Content-Type", "text/plain"),),
    (("Content-Type", "text/plain"), ("content-type", JSON)),
    (("Idempotency-Key", "one"),),
    (("Idempotency-Key", "one"), ("Idempotency-Key", "one")),
    (("Accept", "a/b"), ("Accept", "c/d")),
    (("Accept", "a/b, c/d"),),
    (("Accept", "\xe4"),),
    (("Accept-Language", "de"), ("Accept-Language", "en\xe4")),
    (("User-Agent", "\x7f"),),
    (("X-Else", "\xff\xfe"),),
    (("X-User", CUSTOMER), ("X_User", "x"), ("X-JWT-Payload", "eyJ9")),
    (("Cookie", "a=b"), ("Cookie", "c=d")),
    (("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "x")),
    (("X-Envoy-Original-Path", "/admin"), ("X-Envoy-Retry-On", "5xx")),
    (("X-Envoy-Auth-Partial-Body", "true"),),
    (("X-Envoy-Auth-Headers-To-Remove", "authorization"),),
    (("X-Repeated-Fields", "authorization"), ("X-Unprintable-Fields", ":path")),
    (("X-HTTP-Method-Override", "DELETE"), ("X-Original-URL", "/admin"), ("X-Rewrite-URL", "/admin")),
    (("Content-Encoding", "gzip"),),
    (("Content-Encoding", "identity"),),
    (("Host", "elsewhere"),),
    (("Content-Length", "0"),),
    (("Transfer-Encoding", "gzip, chunked"),),
    (("Transfer-Encoding", "identity"),),
    (("Connection", "keep-alive"),),
    (("Connection", "close"),),
    (("TE", "trailers"),),
    (("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),),
    (("X-Long", "x" * 30_000),),
    (("Name With Space", "x"),),
)


def chain(*actors: str) -> dict[str, Any]:
    """Return an `act` claim: the first is the current actor."""
    act: dict[str, Any] = {"sub": actors[0]}
    return act | ({"act": chain(*actors[1:])} if actors[1:] else {})


def part(value: dict[str, Any]) -> str:
    """Return a part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
