"""idpyoidc as an authorization server, behind Flask as its example provider is.

All of the protocol is idpyoidc's; this file registers clients, carries requests to the endpoints, and answers
back. Keys and secrets come from the environment.
"""

import json
import os
import secrets

from configuration import EXCHANGE, HERE, PORT, SCOPES, configuration
from flask import Flask, Response, make_response, redirect, request
from idpyoidc.message.oauth2 import AuthorizationRequest, ResponseMessage
from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration
from idpyoidc.server.exception import FailedAuthentication


def client(method: str, **metadata: object) -> dict[str, object]:
    """Register one client, and how it authenticates."""
    return {
        **{
            f"{name}_endpoint_client_authn_method": [method]
            for name in ("token", "introspection", "revocation")
        },
        "client_salt": secrets.token_urlsafe(8),
        "allowed_scopes": ["openid", "offline_access", *SCOPES],
        "redirect_uris": [],
        "response_types_supported": ["code"],
        **metadata,
    }


def provider() -> Server:
    """Start idpyoidc with its clients."""
    server = Server(OPConfiguration(configuration(), base_path=str(HERE)), cwd=str(HERE))
    server.context.cdb |= {
        "bank-agent": client("private_key_jwt", grant_types_supported=[EXCHANGE]),
        "card-agent": client("private_key_jwt", grant_types_supported=[EXCHANGE]),
        "banking-app": client(
            "client_secret_basic",
            client_secret=os.environ["APP_SECRET"],
            grant_types_supported=["authorization_code", "refresh_token"],
            redirect_uris=[(os.environ["REDIRECT_URI"], {})],
        ),
    }
    for client_id, variable in (("bank-agent", "AGENT_JWK"), ("card-agent", "OTHER_AGENT_JWK")):
        server.keyjar.import_jwks({"keys": [json.loads(os.environ[variable])]}, client_id)
    return server


app = Flask(__name__)
op = provider()


@app.get("/jwks.json")
def jwks() -> Response:
    """Publish the signing keys."""
    return Response(op.keyjar.export_jwks_as_json(), mimetype="application/json")


@app.get("/<path:path>")
@app.post("/<path:path>")
def protocol(path: str) -> Response:
    """Hand a request to the endpoint of idpyoidc that has this path."""
    found = next((one for one in op.endpoint.values() if one.endpoint_path == path), None)
    if found is None or (request.method == "GET") == (path in {"token", "introspection", "revocation"}):
        return make_response("", 404)
    http_info = {
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "method": request.method,
        "url": request.url,
        "cookie": [{"name": name, "value": value} for name, value in request.cookies.items()],
    }
    sent = request.args.to_dict() if request.method == "GET" else request.get_data(as_text=True)
    try:
        parsed = found.parse_request(sent, http_info=http_info)
        if isinstance(parsed, ResponseMessage) and "error" in parsed:
            return refusal(parsed)
        arguments = found.process_request(parsed, http_info=http_info)
    except Exception as error:
        app.logger.exception("refused")
        return refusal(ResponseMessage(error="invalid_request", error_description=str(error)))
    return answer(found, parsed, arguments)


@app.post("/verify/user")
def verify_user() -> Response:
    """Check the password, and go on with the authorization request."""
    method = op.context.authn_broker.get_method_by_id("user")
    form = request.form.to_dict()
    try:
        username = method.verify(**form)
    except FailedAuthentication:
        return make_response("Wrong username or password", 403)
    state = method.unpack_token(form["token"])
    asked = AuthorizationRequest().from_urlencoded(state["query"])
    authorization = op.endpoint["authorization"]
    session = authorization.create_session(asked, username, state["authn_class_ref"], state["iat"], method)
    return answer(authorization, asked, authorization.authz_part2(request=asked, session_id=session))


def answer(found: object, parsed: object, arguments: dict[str, object]) -> Response:
    """Turn what an endpoint returns into a response."""
    if "http_response" in arguments:
        return make_response(arguments["http_response"], 200)
    if "redirect_location" in arguments:
        return redirect(arguments["redirect_location"])
    if isinstance(arguments, ResponseMessage) and "error" in arguments:
        return refusal(arguments)
    info = found.do_response(request=parsed, **arguments)
    place = info.get("response_placement", found.response_placement)
    response = redirect(info["response"]) if place == "url" else make_response(info["response"], 200)
    for name, value in info["http_headers"]:
        response.headers[name] = value
    for cookie in info.get("cookie", []):
        response.set_cookie(cookie["name"], cookie["value"], path="/", samesite="Lax", httponly=True)
    return response


def refusal(error: ResponseMessage) -> Response:
    """Answer with an error, as the example provider does."""
    return Response(error.to_json(), 400, mimetype="application/json")


if __name__ == "__main__":
    app.run("127.0.0.1", PORT, threaded=True)
