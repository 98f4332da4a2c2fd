// A gateway of Express: express-oauth2-jwt-bearer verifies the token (strict: RFC 9068) and the scope,
// http-proxy-middleware passes the call on. Put together as their documentation shows.
const express = require('express');
const { auth, claimCheck, requiredScopes } = require('express-oauth2-jwt-bearer');
const { createProxyMiddleware } = require('http-proxy-middleware');

const { PORT, JWKS_URI } = process.env;
const BACKEND = 'http://127.0.0.1:9843';
const AGENT = 'https://bank-agent.example.com';

const app = express();

app.use(auth({
  issuer: 'https://issuer.conformance.example',
  jwksUri: JWKS_URI,
  audience: 'https://account.api.example.com',
  tokenSigningAlg: 'ES256',
  strict: true,
}));
app.use(claimCheck((claims) => claims.act?.sub === AGENT, 'this actor may not act here'));

const proxy = createProxyMiddleware({
  target: BACKEND,
  changeOrigin: true,
  on: {
    proxyReq: (forwarded, req) => forwarded.setHeader('X-User', req.auth.payload.sub),
  },
});

app.get('/accounts/:id/balance', requiredScopes('account:read_balance'), proxy);
app.get('/accounts/:id/transactions', requiredScopes('account:read_transactions'), proxy);

app.listen(Number(PORT), '127.0.0.1');
