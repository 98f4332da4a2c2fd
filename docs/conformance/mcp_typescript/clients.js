// The official MCP clients for TypeScript, at the gateway: what they list, call and are told. Ends with 1 where one differs.
import assert from "node:assert/strict";
import * as v2 from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const { GATEWAY_URL, ISSUER, TOKEN, NARROW_TOKEN } = process.env;
const TOOLS = ["list_accounts", "read_balance", "read_transactions", "transfer"];
const INFO = { name: "conformance", version: "1" };

const CLIENTS = {
  "@modelcontextprotocol/sdk 1.32.2, 2025-11-25": [StreamableHTTPClientTransport, () => new Client(INFO), "2025-11-25"],
  "@modelcontextprotocol/client 2.4.0, 2025-11-25": [v2.StreamableHTTPClientTransport, () => new v2.Client(INFO), "2025-11-25"],
  "@modelcontextprotocol/client 2.4.0, 2026-07-28": [
    v2.StreamableHTTPClientTransport,
    () => new v2.Client(INFO, { versionNegotiation: { mode: { pin: "2026-07-28" } } }),
    "2026-07-28",
  ],
};

// A provider that has no token: it notes where the client would send the customer.
function provider(visited) {
  return {
    redirectUrl: "http://localhost:8501/callback",
    clientMetadata: { redirect_uris: ["http://localhost:8501/callback"], client_name: "conformance" },
    clientInformation: () => ({ client_id: "banking-app" }),
    tokens: () => undefined,
    saveTokens() {},
    saveCodeVerifier() {},
    codeVerifier: () => "v".repeat(43),
    redirectToAuthorization: (url) => void visited.push(url),
  };
}

function versionsOf(sent) {
  const of_ = (init) => new Headers(init.headers).get("mcp-protocol-version");
  return new Set(sent.map(of_).filter((version) => version !== null));
}

async function connected([Transport, make], token, sent = []) {
  const fetching = (url, init) => (sent.push(init ?? {}), fetch(url, init));
  const requestInit = token ? { headers: { Authorization: `Bearer ${token}` } } : {};
  const client = make();
  await client.connect(new Transport(new URL(`${GATEWAY_URL}/mcp`), { requestInit, fetch: fetching }));
  return client;
}

async function refusal(attempt) {
  try {
    await attempt();
  } catch (error) {
    return error;
  }
  throw new Error("it was not refused");
}

// What the gateway told, whichever way the client hands it on: as data of the error, or within its text.
function told(error) {
  const text = error.data?.text ?? error.message;
  return error.data?.reason ? error.data : JSON.parse(text.slice(text.indexOf("{"))).error.data;
}

async function works(kind) {
  const sent = [];
  const client = await connected(kind, TOKEN, sent);
  assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name).sort(), TOOLS);
  const call = async (name, args) => {
    const result = await client.callTool({ name, arguments: args });
    assert.ok(!result.isError, JSON.stringify(result));
    return result.structuredContent;
  };
  const account_id = "4001-01";
  assert.ok((await call("list_accounts", {})).accounts.length > 0);
  assert.equal((await call("read_balance", { account_id })).account_id, account_id);
  assert.ok(Array.isArray((await call("read_transactions", { account_id, limit: 3 })).transactions));
  const amount = { amount_minor: 1, currency: "EUR" };
  const order = { from_account: account_id, to: "4001-02", amount, memo: kind[2], idempotency_key: crypto.randomUUID() };
  const receipt = await call("transfer", order);
  assert.equal((await call("transfer", order)).transfer_id, receipt.transfer_id);
  assert.ok((await client.callTool({ name: "read_balance", arguments: { account_id: "4002-01" } })).isError);
  const tooMuch = { ...order, amount: { ...amount, amount_minor: 100_001 } };
  const condition = told(await refusal(() => client.callTool({ name: "transfer", arguments: tooMuch })));
  assert.equal(condition.kind, "condition-not-met");
  await client.close();
  assert.deepEqual([...versionsOf(sent)], [kind[2]]);
}

async function isToldWhatScopeItTakes(kind) {
  const client = await connected(kind, NARROW_TOKEN);
  assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name).sort(), ["list_accounts", "read_balance"]);
  const error = await refusal(() => client.callTool({ name: "read_transactions", arguments: { account_id: "4001-01" } }));
  await client.close();
  if (error instanceof v2.InsufficientScopeError) {
    // This client reads the challenge, and hides the body.
    assert.equal(error.requiredScope, "account:read_transactions");
    assert.ok(error.errorDescription && error.resourceMetadataUrl);
    return;
  }
  const data = told(error);
  assert.equal(data.kind, "insufficient-scope");
  assert.deepEqual(data.required_scopes, ["account:read_transactions"]);
  assert.match(data.decision_id, /^[0-9a-f]{32}$/);
}

async function isToldThatATokenIsBad(kind) {
  const data = told(await refusal(() => connected(kind, "nonsense")));
  assert.equal(data.kind, "invalid-token");
}

async function isLedToTheAuthorizationServer([Transport, make]) {
  const visited = [];
  const transport = new Transport(new URL(`${GATEWAY_URL}/mcp`), { authProvider: provider(visited) });
  await refusal(() => make().connect(transport));
  assert.equal(visited.length, 1);
  assert.equal(visited[0].origin, ISSUER);
  assert.match(visited[0].searchParams.get("scope"), /account:read_balance/);
  assert.equal(visited[0].searchParams.get("resource"), `${GATEWAY_URL}/mcp`);
}

let failed = 0;
for (const [name, kind] of Object.entries(CLIENTS)) {
  for (const check of [works, isToldWhatScopeItTakes, isToldThatATokenIsBad, isLedToTheAuthorizationServer]) {
    try {
      await check(kind);
      console.log(`pass  ${name}: ${check.name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${name}: ${check.name}: ${error.stack}`);
    }
  }
}
process.exit(failed ? 1 : 0);
