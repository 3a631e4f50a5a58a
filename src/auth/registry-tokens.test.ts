import assert from 'node:assert/strict';
import { createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import test from 'node:test';
import { SignJWT, UnsecuredJWT } from 'jose';
import type { RefreshCredential } from '../ports/tokens.ts';
import type { InstallationKey } from './key-ring.ts';
import { type Access, generateSigningKey, RegistryTokens } from './registry-tokens.ts';

let now = Date.UTC(2026, 10, 21) + 250;
const clock = { now: () => now };
const ttlSeconds = 300;
const key: InstallationKey = { id: 'key_1', bytes: await generateSigningKey() };
const other: InstallationKey = { id: 'key_2', bytes: await generateSigningKey() };
const tokens = new RegistryTokens({ keys: [key], clock, ttlSeconds });

const credential: RefreshCredential = { type: 'token', tokenId: 'tok_1', teamId: 'team_1' };
const access: Access[] = [{ type: 'repository', name: 'a/b/c', actions: ['pull', 'push'] }];

const privateKey = ({ bytes }: InstallationKey) =>
  createPrivateKey({ key: bytes, type: 'pkcs8', format: 'der' });
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const head = { alg: 'ES256', kid: key.id, typ: 'JWT' };
const seconds = () => Math.floor(now / 1000);
const body = () => ({
  cred: credential,
  access,
  iss: 'gantry',
  aud: 'gantry-registry',
  iat: seconds(),
  exp: seconds() + ttlSeconds,
});
/** A token signed by whoever has the key, whatever it says. */
function forge(header: object, claims: object, signer: InstallationKey = key): string {
  const text = `${part(header)}.${part(claims)}`;
  const dsaEncoding = 'ieee-p1363';
  const signature = sign('sha256', Buffer.from(text), { key: privateKey(signer), dsaEncoding });
  return `${text}.${signature.toString('base64url')}`;
}

test('what is signed is read again', async () => {
  const { token, expiresIn, issuedAt } = await tokens.sign(credential, access);
  assert.equal(expiresIn, ttlSeconds);
  assert.equal(issuedAt, seconds());
  const expiresAt = (issuedAt + ttlSeconds) * 1000;
  assert.deepEqual(await tokens.verify(token), { credential, access, expiresAt });
});

test("an anonymous caller's token stands for nobody", async () => {
  const { token } = await tokens.sign(undefined, []);
  const claims = await tokens.verify(token);
  assert.equal(claims?.credential, undefined);
  assert.deepEqual(claims?.access, []);
});

test('one that has expired is still read, and says so', async () => {
  const { token } = await tokens.sign(credential, access);
  now += 2 * ttlSeconds * 1000;
  const claims = await tokens.verify(token);
  assert.ok(claims && claims.expiresAt <= now);
  assert.deepEqual(claims.credential, credential);
  const [header, payload, signature] = token.split('.') as [string, string, string];
  const forged = part({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), access: [] });
  assert.equal(await tokens.verify(`${header}.${forged}.${signature}`), undefined);
});

test('the test forges tokens that would pass', async () => {
  assert.deepEqual((await tokens.verify(forge(head, body())))?.credential, credential);
});

test('A14-A17, A19, A24: what is not ours is not read', async () => {
  const publicPem = createPublicKey(privateKey(key)).export({ type: 'spki', format: 'pem' });
  const hmacText = `${part({ ...head, alg: 'HS256' })}.${part(body())}`;
  const hmac = createHmac('sha256', publicPem).update(hmacText).digest('base64url');
  const good = forge(head, body());
  const without = (name: string) =>
    Object.fromEntries(Object.entries(body()).filter(([claim]) => claim !== name));
  const jwk = createPublicKey(privateKey(other)).export({ format: 'jwk' });
  const bad: Record<string, string> = {
    nothing: '',
    garbage: 'garbage',
    dots: '..',
    'two parts': good.split('.').slice(0, 2).join('.'),
    'no signature': `${good.split('.').slice(0, 2).join('.')}.`,
    'a changed signature': `${good.slice(0, -6)}AAAAAA`,
    'alg none': new UnsecuredJWT({ access }).setIssuer('gantry').encode(),
    'alg none with the kid': `${part({ ...head, alg: 'none' })}.${part(body())}.`,
    'HS256 by the public key': `${hmacText}.${hmac}`,
    'another alg in the header': forge({ ...head, alg: 'ES384' }, body()),
    'a known kid, another key': forge(head, body(), other),
    'an unknown kid': forge({ ...head, kid: 'key_9' }, body()),
    'no kid': forge({ alg: 'ES256' }, body()),
    'a kid of the prototype': forge({ ...head, kid: 'constructor' }, body()),
    'a key of its own': forge({ ...head, jwk }, body(), other),
    'an extension that must be understood': forge({ ...head, crit: ['x'], x: 1 }, body()),
    'another issuer': forge(head, { ...body(), iss: 'gantry2' }),
    'another audience': forge(head, { ...body(), aud: 'gantry' }),
    'no issuer': forge(head, without('iss')),
    'no audience': forge(head, without('aud')),
    'no end': forge(head, without('exp')),
    'not yet valid': forge(head, { ...body(), nbf: seconds() + 10 }),
  };
  for (const [name, token] of Object.entries(bad))
    assert.equal(await tokens.verify(token), undefined, name);
});

test('after a rotation the newer key signs and both verify', async () => {
  const old = (await tokens.sign(credential, access)).token;
  const rotated = new RegistryTokens({ keys: [other, key], clock, ttlSeconds });
  const fresh = (await rotated.sign(credential, access)).token;
  assert.ok((await rotated.verify(old)) && (await rotated.verify(fresh)));
  assert.equal(await tokens.verify(fresh), undefined);
});

test('without a key nothing is signed', () => {
  assert.throws(() => new RegistryTokens({ keys: [], clock, ttlSeconds }), /no signing key/);
});

test('tokens of another installation are strangers', async () => {
  const theirs = new RegistryTokens({ keys: [{ ...other, id: key.id }], clock, ttlSeconds });
  assert.equal(await tokens.verify((await theirs.sign(credential, access)).token), undefined);
  const signer = new SignJWT({ access }).setProtectedHeader({ alg: 'HS256' });
  assert.equal(await tokens.verify(await signer.sign(Buffer.alloc(32, 1))), undefined);
});
