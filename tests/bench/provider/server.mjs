// The certified OpenID provider that every peer signs in at: `node server.mjs PORT CLIENTS`, where CLIENTS is a JSON
// file `[{client_id, client_secret, redirect_uri, auth}]`. It takes any login and password.
import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const [port, file] = process.argv.slice(2);
const clients = JSON.parse(readFileSync(file, 'utf8')).map(({ client_id, client_secret, redirect_uri, auth }) => ({
  client_id,
  client_secret,
  redirect_uris: [redirect_uri],
  token_endpoint_auth_method: auth,
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
}));

const person = (sub) => ({
  sub,
  name: 'Alice Example',
  preferred_username: 'alice',
  email: 'alice@example.com',
  email_verified: true,
  groups: ['admins', 'staff'],
});

const provider = new Provider(`http://localhost:${port}`, {
  clients,
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username', 'groups'],
  },
  conformIdTokenClaims: false, // the claims stand in the ID token too, as at Cognito and Okta
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => person(sub) }),
  cookies: { keys: ['a benchmark keeps no secrets'] },
  pkce: { required: () => false },
});

provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
