import assert from 'node:assert/strict';
import test from 'node:test';
import type { DomainClaim } from '../../ports/domains.ts';
import { DeployWorld } from '../deployments/deploy-test-kit.ts';
import { systemTimers } from '../timers.ts';
import { startDns } from './dns-test-kit.ts';
import { DomainKeeper } from './domain-keeper.ts';
import { challengeOf, createTxtResolver, isTrusted, missingProof } from './domain-proof.ts';

const host = 'shop.example.com';

test('a proof is one TXT record among others, whole or in chunks', async (t) => {
  const dns = await startDns(t);
  const resolver = createTxtResolver([dns.address]);
  const { name, value } = challengeOf(host, 'a'.repeat(32));
  const missing = () => missingProof(resolver, host, 'a'.repeat(32));
  assert.match((await missing())!, /no TXT record _gantry-challenge\.shop\.example\.com yet/);
  dns.texts.set(name, ['v=spf1 -all', `${value}0`]);
  assert.match((await missing())!, /says something else/);
  dns.texts.set(name, ['v=spf1 -all', value]);
  assert.equal(await missing(), undefined);
  assert.deepEqual([...new Set(dns.asked)], [name]);
});

test('a name server that does not answer proves nothing', { timeout: 30_000 }, async (t) => {
  const dns = await startDns(t);
  dns.silent = true;
  const found = await missingProof(createTxtResolver([dns.address]), host, 'x');
  assert.match(found!, /could not be asked for \(E?TIMEOUT\)/);
});

test('what the operator trusts is the name and all under it', () => {
  assert.ok(isTrusted('example.com', ['example.com']));
  assert.ok(isTrusted(host, ['other.org', 'example.com']));
  assert.ok(isTrusted(host, ['*']));
  assert.ok(!isTrusted('evilexample.com', ['example.com']));
  assert.ok(!isTrusted(host, []));
});

async function keeping(t: Parameters<typeof startDns>[0], trusted: readonly string[] = []) {
  const world = await DeployWorld.open(t);
  const dns = await startDns(t);
  const clock = { time: 1_000, now: () => clock.time };
  let verified = 0;
  const keeper = new DomainKeeper({
    ...{ ...world.metadata, clock, timers: systemTimers, trusted },
    resolver: createTxtResolver([dns.address]),
    verified: () => verified++,
    failed: assert.ifError,
  });
  const claim = (domain: string): Promise<DomainClaim> =>
    world.metadata.writer.run('ClaimDomain', {
      ...{ host: domain, projectId: 'prj_1', environment: 'production', name: 'production' },
      ...{ service: undefined, token: `token-${domain}`, trusted: false, most: 1_000 },
      now: clock.now(),
    });
  const state = async (domain: string) =>
    (await world.metadata.domains.find('prj_1', domain))?.state;
  return { world, dns, clock, keeper, claim, state, verified: () => verified };
}

test('those that wait are looked for again, and given up after three days', async (t) => {
  const { world, dns, clock, keeper, claim, state, verified } = await keeping(t);
  for (let at = 0; at < 120; at++) await claim(`n${at}.example.com`);
  const { name, value } = challengeOf('n7.example.com', 'token-n7.example.com');
  dns.texts.set(name, [value]);
  clock.time += 60_000;
  await keeper.look();
  assert.equal(new Set(dns.asked).size, 120, 'each of them, once');
  assert.equal(verified(), 1);
  assert.equal(await state('n7.example.com'), 'verified');
  assert.ok(await world.metadata.deployments.findHost('n7.example.com'));
  assert.equal(await state('n8.example.com'), 'pending');
  clock.time += 4 * 24 * 3_600_000;
  await keeper.look();
  assert.equal(await state('n8.example.com'), 'failed');
  const asked = dns.asked.length;
  await keeper.look();
  assert.equal(dns.asked.length, asked, 'nor asked for any more');
  // By hand it is.
  const late = challengeOf('n8.example.com', 'token-n8.example.com');
  dns.texts.set(late.name, [late.value]);
  const given = await world.metadata.domains.find('prj_1', 'n8.example.com');
  assert.equal((await keeper.check(given!))?.state, 'verified');
});

test('a trusted one that was claimed where nobody knew so needs no record', async (t) => {
  const { dns, clock, keeper, claim, state } = await keeping(t, ['example.com']);
  await claim(host);
  clock.time += 60_000;
  await keeper.look();
  assert.equal(await state(host), 'verified');
  assert.deepEqual(dns.asked, []);
});

test('proofs that cannot be written down are looked for again with the next look, not at once', async (t) => {
  const { world, dns, clock, claim } = await keeping(t);
  for (let at = 0; at < 100; at++) await claim(`n${at}.example.com`);
  clock.time += 60_000;
  const failures: unknown[] = [];
  const full = Object.assign(new Error('the disk is full'), { code: 'SQLITE_FULL' });
  const keeper = new DomainKeeper({
    ...{ domains: world.metadata.domains, clock, timers: systemTimers, trusted: [] },
    writer: { run: () => Promise.reject(full) },
    resolver: createTxtResolver([dns.address]),
    verified: () => assert.fail('nothing is proven'),
    failed: (cause) => failures.push(cause),
  });
  await keeper.look();
  assert.ok(failures.length > 0 && failures.every((one) => one === full));
  assert.ok(dns.asked.length <= 100, `${dns.asked.length} questions`);
});
