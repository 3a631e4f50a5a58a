import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { basic, type Registry } from '../spec/client.ts';
import { type GantryServer, serverEnv } from '../spec/server.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Runs the admin commands of the CLI against the server's data folder; what it printed as JSON. */
export function admin(server: GantryServer, ...args: string[]): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  execFile(
    process.execPath,
    ['src/cli/main.ts', 'admin', ...args, '--json'],
    { cwd: root, env: serverEnv(server.dataFolder), timeout: 30_000 },
    (error, stdout, stderr) => {
      if (error) reject(new Error(`gantry admin ${args.join(' ')}: ${stderr || error.message}`));
      else resolve(stdout.trim() === '' ? undefined : JSON.parse(stdout));
    },
  );
  return promise;
}

/** Someone who can sign in. */
export interface Principal {
  /** The team's id. */
  readonly username: string;
  /** The token's own id, by which it is revoked. */
  readonly tokenId: string;
  readonly token: string;
  readonly registry: Registry;
}

export interface Team {
  readonly id: string;
  readonly slug: string;
  readonly project: string;
}

export async function createTeam(
  server: GantryServer,
  slug: string,
  project = 'app',
): Promise<Team> {
  const made = (await admin(server, 'team', 'create', slug)) as { id: string };
  assert.match(made.id, /^team_/);
  await admin(server, 'project', 'create', `${slug}/${project}`);
  return { id: made.id, slug, project };
}

export async function createTeamToken(
  server: GantryServer,
  registry: Registry,
  team: Pick<Team, 'id' | 'slug'>,
  scope: 'read' | 'create' | 'write' | 'admin',
  project?: string,
): Promise<Principal> {
  const narrowed = project === undefined ? [] : ['--project', project];
  const made = (await admin(
    server,
    'token',
    'create',
    '--team',
    team.slug,
    '--scope',
    scope,
    '--name',
    `test-${scope}`,
    ...narrowed,
  )) as { id: string; token: string };
  assert.match(made.token, /^gnt_/);
  return {
    username: team.id,
    tokenId: made.id,
    token: made.token,
    registry: registry.as(basic(team.id, made.token)),
  };
}

export function publish(server: GantryServer, repository: string): Promise<unknown> {
  return admin(server, 'repository', 'visibility', repository, 'public');
}

export interface Policy {
  readonly issuer: string;
  readonly audience: string;
  /** Claim name -> patterns. */
  readonly claims: Readonly<Record<string, readonly string[]>>;
  /** Pull and push, unless given. */
  readonly actions?: readonly string[];
}

/** A trust policy that lets its tokens do so in all projects of the team. */
export function createPolicy(server: GantryServer, team: Team, policy: Policy): Promise<unknown> {
  const claims = Object.entries(policy.claims).flatMap(([name, patterns]) =>
    patterns.flatMap((pattern) => ['--claim', `${name}=${pattern}`]),
  );
  const place = ['--team', team.slug, '--project', '*', '--name', 'ci', '--issuer', policy.issuer];
  const actions = policy.actions ? ['--actions', policy.actions.join(',')] : [];
  const what = ['--audience', policy.audience, ...claims, ...actions];
  return admin(server, 'policy', 'create', ...place, ...what);
}
