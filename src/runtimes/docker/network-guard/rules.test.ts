import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rulesDigest } from './guard.ts';
import { helperLine } from './helper-line.ts';
import { hostResolvers } from './resolvers.ts';
import { type GuardRules, rulesOf, tableOf } from './rules.ts';

const rules: GuardRules = {
  installation: 'inst_a',
  pool: '203.0.113.0/24',
  reach: ['192.0.2.10:443'],
  dns: ['10.0.0.2'],
  privateRanges: ['10.20.0.0/16'],
};

test('Rules replace the table of the same installation, in one transaction, and no other', () => {
  const text = rulesOf(rules);
  const table = tableOf('inst_a');
  assert.match(text, new RegExp(`^add table inet ${table}\\ndelete table inet ${table}\\ntable`));
  assert.notEqual(tableOf('inst_b'), table);
  // A pool of public addresses is closed to other projects as private ones are.
  assert.match(text, /set never \{[^}]*203\.0\.113\.0\/24/);
  assert.match(text, /elements = \{ 192\.0\.2\.10 \. 443 \}/);
});

test('Empty lists are sets without elements', () => {
  const text = rulesOf({ ...rules, reach: [], dns: [], privateRanges: [] });
  assert.doesNotMatch(text, /elements = \{ {2}\}/);
});

test('What could end a statement is not put into a rule', () => {
  for (const wrong of [
    { pool: '10.0.0.0/8 }; flush ruleset' },
    { reach: ['192.0.2.1:80\n'] },
    { dns: ['localhost'] },
    { privateRanges: ['10.0.0.0/8, 0.0.0.0/0'] },
  ])
    assert.throws(() => rulesOf({ ...rules, ...wrong }), /cannot be put into a rule/);
});

test('Other settings are other rules', () => {
  assert.notEqual(rulesDigest(rules), rulesDigest({ ...rules, reach: [] }));
});

test("The operator's line holds in a shell", () => {
  const line = helperLine(rules, { subnetBits: 26, dockerHost: "unix:///tmp/it's/docker.sock" });
  assert.match(line, /^sudo \S+ \S+main\.ts --installation=inst_a --pool=203\.0\.113\.0\/24 /);
  assert.ok(line.endsWith(`'--docker-host=unix:///tmp/it'\\''s/docker.sock'`), line);
});

test('Name servers are those that an engine gives to containers', async () => {
  const files: Record<string, string> = {
    '/etc/resolv.conf': 'nameserver 127.0.0.53\noptions edns0\n',
    '/run/systemd/resolve/resolv.conf': 'nameserver 10.0.0.2\nnameserver fd00::2\n',
  };
  const read = (path: string) => Promise.resolve(files[path] ?? '');
  assert.deepEqual(await hostResolvers(read), ['10.0.0.2']);
  files['/etc/resolv.conf'] =
    '# nameserver 192.0.2.9\nnameserver 127.0.0.1\nnameserver 192.0.2.8\n';
  assert.deepEqual(await hostResolvers(read), ['192.0.2.8']);
  const none = () => Promise.reject(new Error('ENOENT'));
  assert.deepEqual(await hostResolvers(none), []);
});
