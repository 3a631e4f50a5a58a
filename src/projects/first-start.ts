import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfThere, writePrivateFile } from '../config/private-file.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metadata } from '../ports/metadata.ts';
import type { PlanName } from '../ports/teams.ts';
import { newId } from './ids.ts';
import { hashToken, newToken } from './token-secret.ts';

/** What a first start makes, for the person or program that started it. */
export interface Bootstrap {
  readonly url: string;
  readonly registry: string;
  readonly teamId: string;
  readonly teamSlug: string;
  readonly projectSlug: string;
  readonly token: string;
}

const file = 'bootstrap.json';

/**
 * On the first start makes a team, a project and a team token, and writes `<folder>/bootstrap.json`
 * (mode 0600). Later starts only bring its address up to date. Undefined: the file was removed, as it
 * should be once its token is put away, and is not made again.
 */
export async function firstStart(deps: {
  metadata: Metadata;
  folder: string;
  url: string;
  plan: PlanName;
  clock: Clock;
}): Promise<{ bootstrap: Bootstrap; created: boolean } | undefined> {
  const { metadata, folder, url } = deps;
  const registry = new URL(url).host;
  const path = join(folder, file);
  const existing = await readBootstrap(path);
  if (!existing && (await metadata.teams.list()).length > 0) return undefined;
  const bootstrap: Bootstrap = existing
    ? { ...existing, url, registry }
    : {
        url,
        registry,
        teamId: newId('team'),
        teamSlug: 'my-team',
        projectSlug: 'my-project',
        token: newToken().secret,
      };
  // The secret is on the disk before what it opens exists, so a start that was cut short is gone on with.
  if (existing?.url !== url) {
    await writePrivateFile(path, `${JSON.stringify(bootstrap, null, 2)}\n`);
  }
  try {
    return { bootstrap, created: await makeMissing(deps, bootstrap) };
  } catch (error) {
    // Another replica, started at the same time, was first.
    const late = error instanceof RegistryError && error.kind === 'conflict' && !existing;
    if (!late) throw error;
    await rm(path);
    return undefined;
  }
}

async function makeMissing(
  { metadata, plan, clock }: { metadata: Metadata; plan: PlanName; clock: Clock },
  { teamId, teamSlug, projectSlug, token }: Bootstrap,
): Promise<boolean> {
  if (await metadata.tokens.findByHash(hashToken(token))) return false;
  const { writer } = metadata;
  const createdAt = clock.now();
  if (!(await metadata.teams.findById(teamId))) {
    const team = { id: teamId, slug: teamSlug, name: 'My team', plan, createdAt };
    await writer.run('CreateTeam', team);
  }
  if (!(await metadata.projects.findBySlugs(teamSlug, projectSlug))) {
    const project = { id: newId('prj'), teamId, slug: projectSlug, settings: {}, createdAt };
    await writer.run('CreateProject', project);
  }
  await writer.run('CreateToken', {
    token: {
      id: newId('tok'),
      name: 'first-start',
      teamId,
      accountId: undefined,
      scope: 'admin',
      projectIds: undefined,
      createdAt,
      expiresAt: undefined,
      revokedAt: undefined,
      lastUsedAt: undefined,
    },
    hash: hashToken(token),
  });
  return true;
}

async function readBootstrap(path: string): Promise<Bootstrap | undefined> {
  const text = await readIfThere(path);
  return text === undefined ? undefined : (JSON.parse(text) as Bootstrap);
}
