// oidc-provider as its documentation configures it: resource indicators, introspection, revocation, and the
// development sign-on pages that it brings. Clients' public keys and the port come from the environment.
import { generateKeyPairSync, randomBytes } from 'node:crypto';

import Provider, { errors } from 'oidc-provider';

import { registerTokenExchange } from './token_exchange.js';

const { PORT, AGENT_JWK, OTHER_AGENT_JWK, APP_JWK, REDIRECT_URI } = process.env;
const SCOPE = 'account:read_balance account:read_transactions account:transfer';
const AGENT = 'https://bank-agent.example.com';
const OTHER_AGENT = 'https://card-agent.example.com';
const APP = 'banking-app';
const RESOURCE_SERVERS = {
  [AGENT]: { clients: [APP], info: { scope: SCOPE, accessTokenFormat: 'opaque', accessTokenTTL: 600 } },
  'https://account.api.example.com': {
    clients: [AGENT, OTHER_AGENT],
    info: { scope: SCOPE, accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg: 'ES256' } } },
  },
};

function resourceServerInfo(ctx, resource, client) {
  const known = Object.hasOwn(RESOURCE_SERVERS, resource) && RESOURCE_SERVERS[resource];
  if (!known || !known.clients.includes(client.clientId)) {
    throw new errors.InvalidTarget();
  }
  return known.info;
}

function client(clientId, jwk, metadata) {
  return {
    client_id: clientId,
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [JSON.parse(jwk)] },
    redirect_uris: [],
    response_types: [],
    ...metadata,
  };
}

const agent = { grant_types: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'] };
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  clients: [
    client(AGENT, AGENT_JWK, agent),
    client(OTHER_AGENT, OTHER_AGENT_JWK, agent),
    client(APP, APP_JWK, {
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [REDIRECT_URI],
      response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
    }),
  ],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'conformance' }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  scopes: ['openid', 'offline_access', ...SCOPE.split(' ')],
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  extraTokenClaims(ctx) {
    const actor = ctx.oidc.entities.ActorToken;
    return actor && { act: { sub: actor.clientId } };
  },
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: { enabled: true, getResourceServerInfo: resourceServerInfo },
  },
});

registerTokenExchange(provider, resourceServerInfo);
provider.listen(Number(PORT), '127.0.0.1');
