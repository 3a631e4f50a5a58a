import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteMetadata } from '../../storage-adapters/metadata/sqlite.ts';
import type { Metadata } from '../ports/metadata.ts';
import type { Repository, Visibility } from '../ports/repositories.ts';
import type { Role } from '../ports/teams.ts';
import type { TokenScope } from '../ports/tokens.ts';
import type { Action } from '../ports/trust-policies.ts';
import { hashSecret, Identities } from './identities.ts';
import type { InstallationKey } from './key-ring.ts';
import { generateSigningKey, RegistryTokens } from './registry-tokens.ts';
import { TokenService } from './token-service.ts';

export const start = Date.UTC(2026, 10, 21);
export const hour = 3_600_000;

export interface Team {
  readonly id: string;
  readonly slug: string;
  /** Ids of its two projects, whose slugs are `one` and `two`. */
  readonly projects: { readonly one: string; readonly two: string };
}

export interface TokenOptions {
  readonly teamId?: string;
  readonly accountId?: string;
  readonly scope?: TokenScope;
  readonly projectIds?: readonly string[];
  readonly expiresAt?: number;
}

/** What logins stand on, over a database of its own. Times are the kit's clock's. */
export interface AuthKit {
  readonly metadata: Metadata;
  readonly clock: { now(): number };
  readonly identities: Identities;
  readonly signingKeys: readonly InstallationKey[];
  readonly registryTokens: RegistryTokens;
  readonly tokenService: TokenService;
  /** Moves the clock, back where it is negative. */
  pass(milliseconds: number): void;
  team(): Promise<Team>;
  account(teamId?: string, role?: Role): Promise<string>;
  token(options: TokenOptions): Promise<{ id: string; secret: string }>;
  policy(options: {
    teamId: string;
    projectIds?: readonly string[];
    actions: readonly Action[];
  }): Promise<string>;
  repository(projectId: string, name: string, visibility?: Visibility): Promise<Repository>;
}

export async function openAuthKit(t: { after(end: () => unknown): void }): Promise<AuthKit> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-auth-'));
  const metadata = await openSqliteMetadata({ folder });
  t.after(async () => {
    await metadata.close();
    await rm(folder, { recursive: true });
  });
  const { writer } = metadata;
  let now = start;
  let made = 0;
  const next = (prefix: string) => `${prefix}_${++made}`;
  const clock = { now: () => now };
  const identities = new Identities({ ...metadata, clock });
  const signingKeys = [{ id: 'key_1', bytes: await generateSigningKey() }];
  const registryTokens = new RegistryTokens({ keys: signingKeys, clock, ttlSeconds: 300 });
  return {
    metadata,
    clock,
    identities,
    signingKeys,
    registryTokens,
    tokenService: new TokenService({ ...metadata, registryTokens, identities, clock }),
    pass: (milliseconds) => {
      now += milliseconds;
    },
    async team() {
      const id = next('team');
      const slug = id.replace('_', '-');
      const projects = { one: next('prj'), two: next('prj') };
      await writer.run('CreateTeam', { id, slug, name: slug, plan: 'pro', createdAt: now });
      for (const [project, projectId] of Object.entries(projects)) {
        const row = { id: projectId, teamId: id, slug: project, settings: {}, createdAt: now };
        await writer.run('CreateProject', row);
      }
      return { id, slug, projects };
    },
    async account(teamId, role = 'developer') {
      const id = next('acc');
      await writer.run('CreateAccount', { id, name: id, createdAt: now });
      if (teamId) await writer.run('PutMember', { teamId, accountId: id, role });
      return id;
    },
    async token({ teamId, accountId, scope = 'write', projectIds, expiresAt }) {
      const id = next('tok');
      const secret = `gnt_secret-of-${id}`;
      const token = { id, name: `${id}-name`, teamId, accountId, scope, projectIds, expiresAt };
      await writer.run('CreateToken', {
        token: { ...token, createdAt: now, revokedAt: undefined, lastUsedAt: undefined },
        hash: hashSecret(secret),
      });
      return { id, secret };
    },
    async policy({ teamId, projectIds, actions }) {
      const id = next('pol');
      await writer.run('CreateTrustPolicy', {
        id,
        teamId,
        name: id,
        issuer: 'https://issuer.example',
        audience: undefined,
        claims: {},
        projectIds,
        actions,
        createdAt: now,
      });
      return id;
    },
    repository: (projectId, name, visibility = 'private') =>
      writer.run('EnsureRepository', {
        id: next('repo'),
        projectId,
        name,
        visibility,
        actor: 'kit',
        limits: { plan: 'pro' },
        now,
      }),
  };
}
