// A certified OpenID provider as the tests need it: `node server.mjs PORT CLIENTS`, CLIENTS being a JSON file with a list
// of client metadata. It takes any login and password. Every line on standard output is a JSON object: what happened.
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import Provider from 'oidc-provider';

const [port, file] = process.argv.slice(2);
const tell = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));

const clients = JSON.parse(readFileSync(file, 'utf8')).map((client) => ({
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'client_secret_basic',
  ...client,
}));

const person = (login) => ({
  sub: login,
  name: `Somebody called ${login}`,
  preferred_username: login,
  email: `${login}@example.com`,
  email_verified: true,
  groups: ['staff'],
});

// Applications under test have names that only browsers know, and addresses that the provider would not connect to.
const overLoopback = (url, { method, headers, body }) =>
  new Promise((resolve, reject) => {
    const lookup = (_name, options, found) =>
      options.all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4);
    const text = String(body ?? '');
    const given = { ...Object.fromEntries(headers), 'content-length': Buffer.byteLength(text) };
    const outgoing = request(url, { method, lookup, headers: given }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(new Response(null, { status: answer.statusCode })));
    });
    outgoing.on('error', reject);
    outgoing.end(text);
  });

const provider = new Provider(`http://localhost:${port}`, {
  clients,
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username', 'groups'],
  },
  conformIdTokenClaims: false, // the claims stand in the ID token too, as at Cognito and Okta
  findAccount: (_ctx, login) => ({ accountId: login, claims: () => person(login) }),
  // Its end of session takes GET alone and its cookies are Lax: as it comes.
  cookies: { keys: ['these tests keep no secrets'] },
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  ttl: { AccessToken: 60, IdToken: (_ctx, _token, client) => (client.clientId === 'short-lived' ? 1 : 3600) },
  features: { backchannelLogout: { enabled: true }, revocation: { enabled: true } },
  fetch: overLoopback,
});

provider.use(async (ctx, next) => {
  if (ctx.path.startsWith('/session/end')) {
    const asked = { method: ctx.method, path: ctx.path, query: Object.keys(ctx.query) };
    await next();
    tell('sign_out', { ...asked, status: ctx.status });
  } else {
    await next();
    if (ctx.path === '/token/revocation') tell('revocation', { status: ctx.status, client: ctx.oidc?.client?.clientId });
  }
});
provider.on('grant.success', (ctx) => {
  tell('grant', { type: ctx.oidc.params.grant_type, client: ctx.oidc.client.clientId });
});
provider.on('grant.error', (ctx, error) => tell('grant_refused', { error: error.error }));
provider.on('backchannel.success', (_ctx, client, account, sid) => {
  tell('backchannel', { client: client.clientId, account, sid });
});
provider.on('backchannel.error', (_ctx, error, client) => {
  tell('backchannel_refused', { client: client.clientId, error: error.message });
});

provider.listen(Number(port), '127.0.0.1', () => tell('ready'));
