// A real OpenID provider on the loopback address: node provider.mjs <port> <algorithm>
// It issues access tokens as RFC 9068 has them, and signs in whoever it is asked to.
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const [port, alg] = process.argv.slice(2);
const audience = 'https://triage.example/api';
const pair = alg === 'ES256'
  ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
  : generateKeyPairSync('rsa', { modulusLength: 2048 });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [{ ...pair.privateKey.export({ format: 'jwk' }), kid: 'k1', alg, use: 'sig' }] },
  cookies: { keys: ['only for this test'] },
  clients: [
    {
      client_id: 'device',
      client_secret: 'device-secret',
      id_token_signed_response_alg: alg,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
    {
      client_id: 'pages',
      client_secret: 'pages-secret: +&=',
      id_token_signed_response_alg: alg,
      grant_types: ['authorization_code'],
      redirect_uris: ['https://triage.example/sign-in/callback'],
      response_types: ['code'],
    },
  ],
  scopes: ['openid', 'entries'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'entries', audience, accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg } },
      }),
    },
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
