// The grant of RFC 8693, registered as oidc-provider's documentation shows under "Custom Grant Types".
import { errors } from 'oidc-provider';

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const PARAMETERS = [
  'audience', 'resource', 'scope', 'requested_token_type',
  'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type',
];

export function registerTokenExchange(provider, resourceServerInfo) {
  provider.registerGrantType(GRANT_TYPE, exchange, PARAMETERS, ['audience', 'resource']);

  async function exchange(ctx) {
    const { client, params } = ctx.oidc;
    const subject = await presented(params, 'subject_token', provider.AccessToken);
    if (params.actor_token || params.actor_token_type) {
      ctx.oidc.entity('ActorToken', await presented(params, 'actor_token', provider.ClientCredentials));
    }
    if (params.requested_token_type && params.requested_token_type !== ACCESS_TOKEN) {
      throw new errors.InvalidRequest('requested_token_type is not supported');
    }
    if (params.audience) {
      throw new errors.InvalidTarget('a target is named by resource');
    }
    const resourceServer = await target(ctx, client, params.resource);
    const wanted = params.scope ? params.scope.split(' ') : [...subject.scopes];
    const scope = wanted.filter((one) => subject.scopes.has(one) && resourceServer.scopes.has(one)).join(' ');
    if (!scope) {
      throw new errors.InvalidScope('none of the requested scope is granted', params.scope);
    }

    const token = new provider.AccessToken({
      accountId: subject.accountId, client, grantId: subject.grantId, gty: 'token_exchange', resourceServer, scope,
    });
    ctx.oidc.entity('AccessToken', token);
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: token.tokenType,
      expires_in: token.expiration,
      scope,
    };
  }

  async function presented(params, name, Model) {
    if (!params[name] || !params[`${name}_type`]) {
      throw new errors.InvalidRequest(`${name} and ${name}_type are required`);
    }
    if (params[`${name}_type`] !== ACCESS_TOKEN) {
      throw new errors.InvalidRequest(`${name}_type is not supported`);
    }
    const token = await Model.find(params[name]);
    if (!token?.isValid) {
      throw new errors.InvalidRequest(`${name} is not valid`);
    }
    return token;
  }

  async function target(ctx, client, resource) {
    if (typeof resource !== 'string') {
      throw new errors.InvalidTarget('exactly one resource is required');
    }
    return new provider.ResourceServer(resource, await resourceServerInfo(ctx, resource, client));
  }
}
