// oidc-provider with what its documentation leaves to the operator: a token exchange grant, the smallest one that
// refuses what must be refused. Everything is in memory. Tokens are JWTs of its own key, which the environment names.
import { createPublicKey, randomBytes } from 'node:crypto';

import { jwtVerify } from 'jose';
import Provider, { errors } from 'oidc-provider';

const { PORT, ISSUER, SIGNING_KEY, AGENT, AGENT_JWK, RESOURCE } = process.env;
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const PARAMETERS = [
  'resource', 'scope', 'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type',
];
const SCOPE = 'account:read_balance account:read_transactions account:transfer';

const signingKey = JSON.parse(SIGNING_KEY);
const publicKey = createPublicKey({ key: signingKey, format: 'jwk' });

function resourceServerInfo(ctx, resource) {
  if (resource !== RESOURCE) {
    throw new errors.InvalidTarget();
  }
  return { scope: SCOPE, accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg: 'ES256' } } };
}

const provider = new Provider(ISSUER, {
  clients: [{
    client_id: AGENT,
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [JSON.parse(AGENT_JWK)] },
    redirect_uris: [],
    response_types: [],
    grant_types: [GRANT_TYPE],
  }],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  jwks: { keys: [signingKey] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  scopes: SCOPE.split(' '),
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  extraTokenClaims: (ctx, token) => ({ act: { sub: token.clientId } }),
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: { enabled: true, getResourceServerInfo: resourceServerInfo },
  },
});

async function verified(token, audience) {
  try {
    const options = { issuer: ISSUER, audience, algorithms: ['ES256'], typ: 'at+jwt', requiredClaims: ['exp', 'sub'] };
    return (await jwtVerify(token, publicKey, options)).payload;
  } catch {
    throw new errors.InvalidRequest('a token is not valid');
  }
}

async function exchange(ctx) {
  const { client, params } = ctx.oidc;
  if (params.subject_token_type !== ACCESS_TOKEN || params.actor_token_type !== ACCESS_TOKEN) {
    throw new errors.InvalidRequest('subject and actor are access tokens');
  }
  const subject = await verified(params.subject_token, client.clientId);
  const actor = await verified(params.actor_token, ISSUER);
  if (actor.sub !== client.clientId || subject.may_act?.sub !== client.clientId) {
    throw new errors.InvalidRequest('this client may not act');
  }
  const resourceServer = new provider.ResourceServer(params.resource, resourceServerInfo(ctx, params.resource));
  const held = [subject.scope, actor.scope].map((scope) => scope.split(' '));
  const scope = (params.scope ?? '').split(' ').filter((one) => held.every((each) => each.includes(one))).join(' ');
  if (!scope) {
    throw new errors.InvalidScope('none of the requested scope is granted', params.scope);
  }
  const token = new provider.AccessToken({ accountId: subject.sub, client, gty: 'token_exchange', resourceServer, scope });
  ctx.oidc.entity('AccessToken', token);
  ctx.body = {
    access_token: await token.save(),
    issued_token_type: ACCESS_TOKEN,
    token_type: token.tokenType,
    expires_in: token.expiration,
    scope,
  };
}

provider.registerGrantType(GRANT_TYPE, exchange, PARAMETERS, ['resource']);
provider.listen(Number(PORT), '127.0.0.1');
