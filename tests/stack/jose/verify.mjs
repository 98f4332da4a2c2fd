// Verifies the JWT on standard input against a JWKS address, and prints its header and claims as JSON.
// Usage: node verify.mjs JWKS_URI ISSUER AUDIENCE < token
import { readFileSync } from "node:fs";
import { createRemoteJWKSet, jwtVerify } from "jose";

const [jwksUri, issuer, audience] = process.argv.slice(2);
const { protectedHeader, payload } = await jwtVerify(
  readFileSync(0, "utf8").trim(),
  createRemoteJWKSet(new URL(jwksUri)),
  { issuer, audience, typ: "at+jwt", algorithms: ["ES256"], requiredClaims: ["sub", "act", "exp", "iat", "jti"] },
);
console.log(JSON.stringify({ header: protectedHeader, claims: payload }));
