import assert from 'node:assert/strict';
import test from 'node:test';
import type { Command } from 'commander';
import { methodSchemas } from '../projects/admin-schemas.ts';
import type { Upkeep } from './commands/backup.ts';
import { createProgram } from './program.ts';
import { Refused } from './refused.ts';
import { runCli } from './run-cli.ts';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What was asked for, if anything. */
  readonly asked: { method: string; params: unknown } | undefined;
}

/** Runs the command against a server that gives `result`, or refuses with it where it is an error. */
async function cli(line: string | readonly string[], result: unknown = {}): Promise<Ran> {
  let [out, err] = ['', ''];
  let asked: Ran['asked'];
  const code = await runCli({
    args: ['admin', ...(typeof line === 'string' ? line.split(' ') : line)],
    env: {},
    cwd: '/',
    version: '1.2.3',
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    connect: async () => ({
      call: async (method, params) => {
        asked = { method, params };
        if (result instanceof Error) throw result;
        return result;
      },
      close: () => {},
    }),
    upkeep: new Proxy({} as Upkeep, { get: () => async () => ({ some: 'result' }) }),
  });
  return { code, out, err, asked };
}

const calls: [line: string, method: string, params: object][] = [
  ['collection dry-run', 'collection.plan', {}],
  ['collection dry-run --all', 'collection.plan', { repositories: 100_000, roots: 10_000 }],
  ['collection run', 'collection.run', {}],
  ['collection run --no-wait', 'collection.run', {}],
  ['collection show col_1', 'collection.show', { run: 'col_1' }],
  ['collection runs', 'collection.list', {}],
  ['scrub status', 'scrub.status', {}],
  ['scrub list --limit 5', 'scrub.list', { limit: 5 }],
  ['scrub start', 'scrub.start', {}],
  ['scrub start --repository a/b/c', 'scrub.start', { repository: 'a/b/c' }],
  ['scrub show scr_1', 'scrub.show', { run: 'scr_1' }],
  ['scrub cancel', 'scrub.cancel', {}],
  ['volume list', 'volume.list', {}],
  ['volume adopt vol_1 --name data', 'volume.adopt', { volume: 'vol_1', name: 'data' }],
  ['volume remove vol_1', 'volume.remove', { volume: 'vol_1' }],
  ['status', 'status', {}],
  ['team create acme', 'team.create', { slug: 'acme' }],
  ['team create acme --name A --plan pro', 'team.create', { slug: 'acme', name: 'A', plan: 'pro' }],
  ['team list', 'team.list', {}],
  ['team set-plan acme hobby', 'team.set-plan', { team: 'acme', plan: 'hobby' }],
  ['project create acme/web', 'project.create', { project: 'acme/web' }],
  [
    'project create acme/web --layer-compression zstd,gzip --platform linux/amd64',
    'project.create',
    { project: 'acme/web', layerCompressions: ['zstd', 'gzip'], platforms: ['linux/amd64'] },
  ],
  [
    'project settings acme/web --platform all',
    'project.settings',
    { project: 'acme/web', platforms: null },
  ],
  ['project list --team acme', 'project.list', { team: 'acme' }],
  ['account create ada', 'account.create', { name: 'ada' }],
  [
    'account create ada --operator --email a@b',
    'account.create',
    { name: 'ada', operator: true, email: 'a@b' },
  ],
  ['account list', 'account.list', {}],
  ['account set-operator ada off', 'account.set-operator', { account: 'ada', operator: false }],
  ['account delete ada', 'account.delete', { account: 'ada' }],
  ['token create --team a --scope create', 'token.create', { team: 'a', scope: 'create' }],
  ['member add --team a --account b', 'member.add', { team: 'a', account: 'b' }],
  [
    'member add --team a --account b --role owner',
    'member.add',
    { team: 'a', account: 'b', role: 'owner' },
  ],
  ['member list --team a', 'member.list', { team: 'a' }],
  ['member remove --team a --account b', 'member.remove', { team: 'a', account: 'b' }],
  [
    'token create --team acme --scope read --name ci --project a --project b,c --expires 90d',
    'token.create',
    { team: 'acme', scope: 'read', name: 'ci', projects: ['a', 'b', 'c'], expires: '90d' },
  ],
  ['token list --account ada', 'token.list', { account: 'ada' }],
  ['token revoke tok_1', 'token.revoke', { token: 'tok_1' }],
  [
    'policy create --team a --name n --issuer https://i --audience x --claim sub=a=b,c --claim sub=d --claim ref=e --project * --actions pull,push',
    'policy.create',
    {
      team: 'a',
      name: 'n',
      projects: ['*'],
      actions: ['pull', 'push'],
      preset: 'generic',
      options: {
        issuer: 'https://i',
        audience: 'x',
        claims: { sub: ['a=b,c', 'd'], ref: ['e'] },
      },
    },
  ],
  [
    'policy create-github --team a --name n --repository-id 22 --ref main',
    'policy.create',
    { team: 'a', name: 'n', preset: 'github', options: { repositoryId: '22', ref: 'main' } },
  ],
  [
    'policy create-gitlab --team a --name n --project web --gitlab-project g/p --protected-ref',
    'policy.create',
    {
      team: 'a',
      name: 'n',
      projects: ['web'],
      preset: 'gitlab',
      options: { project: 'g/p', protectedRef: true },
    },
  ],
  [
    'policy create-vercel --team a --name n --vercel-team v --vercel-team-id team_x --vercel-project prj_y',
    'policy.create',
    {
      team: 'a',
      name: 'n',
      preset: 'vercel',
      options: { team: 'v', teamId: 'team_x', project: 'prj_y' },
    },
  ],
  [
    'policy update pol_1 --claim sub=a --own-audience --actions pull,create --project web',
    'policy.update',
    {
      policy: 'pol_1',
      claims: { sub: ['a'] },
      audience: null,
      actions: ['pull', 'create'],
      projects: ['web'],
    },
  ],
  ['policy list --team a', 'policy.list', { team: 'a' }],
  ['policy delete pol_1', 'policy.delete', { policy: 'pol_1' }],
  ['repository list --team a --limit 5', 'repository.list', { team: 'a', limit: 5 }],
  ['repository visibility a/b/c', 'repository.visibility', { repository: 'a/b/c' }],
  [
    'repository visibility a/b/c public',
    'repository.visibility',
    { repository: 'a/b/c', visibility: 'public' },
  ],
  ['key list', 'key.list', {}],
  ['key rotate --purpose issuer', 'key.rotate', { purpose: 'issuer' }],
  ['key rotate --purpose issuer --now', 'key.rotate', { purpose: 'issuer', now: true }],
];
for (const [line, method, params] of calls) {
  test(`gantry admin ${line}`, async () => {
    const { code, out, asked, err } = await cli(`${line} --json`, { some: 'result' });
    assert.equal(code, 0, err);
    assert.deepEqual(asked, { method, params });
    assert.deepEqual(JSON.parse(out), { some: 'result' });
  });
}

const wrong: [line: string, says: RegExp][] = [
  ['tem list', /unknown command 'tem'\n\(Did you mean team\?\)/],
  ['team create', /missing required argument 'slug'/],
  ['team create a --plan free', /Allowed choices are self-hosted, hobby, pro, enterprise/],
  ['token create --scop read', /unknown option '--scop'\n\(Did you mean --scope\?\)/],
  ['account set-operator ada yes', /Allowed choices are on, off/],
  ['repository list --team a --limit many', /"many" is not a whole number/],
  ['member add --team a', /required option '--account <account>' not specified/],
];
for (const [line, says] of wrong) {
  test(`gantry admin ${line}: wrong usage`, async () => {
    const { code, out, err, asked } = await cli(line);
    assert.deepEqual([code, out, asked], [2, '', undefined]);
    assert.match(err, says);
  });
}

test('a refusal is said with its hint, and ends with 1', async () => {
  const refusal = new Refused({ code: 'conflict', message: 'It is taken.', hint: 'Try another.' });
  const plain = await cli('team create a', refusal);
  assert.deepEqual([plain.code, plain.out], [1, '']);
  assert.equal(plain.err, 'gantry: It is taken.\nTry another.\n');
  const json = await cli('team create a --json', refusal);
  assert.equal(json.code, 1);
  assert.deepEqual(JSON.parse(json.err), {
    error: { code: 'conflict', message: 'It is taken.', hint: 'Try another.' },
  });
});

test('a collection that failed ends with 1', async () => {
  const failed = { id: 'col_1', state: 'failed' };
  const plain = await cli('collection run', failed);
  assert.deepEqual([plain.code, plain.out], [1, '']);
  assert.match(plain.err, /^gantry: The collection failed\.\nThe log says why\./);
  const json = await cli('collection run --json', failed);
  assert.deepEqual([json.code, json.out], [1, '']);
  assert.equal(JSON.parse(json.err).error.code, 'failed');
  // It was asked for, and told.
  const shown = await cli('collection show col_1', failed);
  assert.equal(shown.code, 0);
  assert.match(shown.out, /The collection failed\./);
});

test('a new token is shown once, with the login of each team, ready to paste', async () => {
  const { out } = await cli('token create --team acme', {
    id: 'tok_1',
    name: 'ci',
    owner: 'team acme',
    scope: 'write',
    state: 'active',
    createdAt: 0,
    expiresAt: Date.UTC(2027, 1, 3, 4, 5),
    token: 'gnt_x',
    registry: 'localhost:5050',
    logins: [{ team: 'acme', username: 'team_1' }],
  });
  assert.match(out, /"ci" of team acme: write, all projects, until 2027-02-03 04:05 UTC\./);
  assert.match(out, /shown this once/);
  assert.ok(
    out.includes(
      '\n  echo gnt_x | docker login localhost:5050 --username team_1 --password-stdin\n',
    ),
  );
});

test('a list is a table, an empty one says what to do', async () => {
  const team = { id: 'team_1', slug: 'acme', name: 'Acme', plan: 'pro', createdAt: 0 };
  const { out } = await cli('team list', { teams: [team, { ...team, slug: 'b' }] });
  assert.equal(
    out,
    [
      'SLUG  NAME  PLAN  ID (USERNAME)',
      'acme  Acme  pro   team_1',
      'b     Acme  pro   team_1',
      '',
    ].join('\n'),
  );
  assert.match((await cli('team list', { teams: [] })).out, /npx gantry admin team create/);
});

test('a page that is not the last says how to go on', async () => {
  const repositories = [{ name: 'a/b/c', visibility: 'public' }];
  const { out } = await cli('repository list --team a', { repositories, next: 'a/b/c' });
  assert.match(out, /add --after a\/b\/c/);
});

/** Every command that does something, by its words. */
function leaves(command: Command, words: string[] = []): [string[], Command][] {
  if (command.commands.length === 0) return [[words, command]];
  return command.commands.flatMap((child) => leaves(child, [...words, child.name()]));
}

const program = createProgram({
  version: '0',
  run: async () => {},
  upkeep: {} as Upkeep,
  out: () => {},
  err: () => {},
});
const all = leaves(program);

test('each method of the admin has its command', () => {
  const asked = new Set(calls.map(([, method]) => method));
  assert.deepEqual([...asked].sort(), Object.keys(methodSchemas).sort());
});

for (const [words, command] of all) {
  test(`gantry ${words.join(' ')} --help has a description and an example that runs`, async () => {
    const { code, out } = await cli([...words.slice(1), '--help']);
    assert.equal(code, 0);
    assert.ok(command.description().length > 10);
    const examples = [...out.matchAll(/\$ npx gantry admin (.+)/g)].map((match) => match[1]!);
    assert.ok(examples.length > 0);
    for (const example of examples) {
      const args = example
        .match(/"[^"]*"|'[^']*'|\S+/g)!
        .map((arg) => arg.replace(/^["']|["']$/g, ''));
      const ran = await cli([...args, '--json']);
      assert.equal(ran.code, 0, `${example}: ${ran.err}`);
    }
  });
}
