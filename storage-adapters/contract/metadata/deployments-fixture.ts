import type { Digest } from '../../../src/oci/digest.ts';
import type { ReservedDeployment, ReservedHost } from '../../../src/ports/commands-functions.ts';
import type { FunctionEnvironment, Snapshot } from '../../../src/ports/functions.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { digest, manifest, now } from './fixture.ts';

export const production = { environment: 'production', name: 'production' } as const;

/** A tag's reservation: `latest` goes to production, others are previews. */
export function wanted(id: string, tag: string, service = 'web'): ReservedDeployment {
  const environment: FunctionEnvironment = tag === 'latest' ? 'production' : 'preview';
  const name = tag === 'latest' ? 'production' : tag;
  return {
    ...{ id, environment, name, tag },
    hosts: [`${service}-${id}`],
    pointerHosts: [`shop-${name}`, `shop-${name}-2`],
    serviceHosts: [`${service}-shop-${name}`, `${service}-shop-${name}-2`],
  };
}

/** A push of `text` under `tags`, each with a deployment `dpl_<text>_<tag>`. */
export async function deployingPush(
  db: Metadata,
  repositoryId: string,
  text: string,
  tags: readonly string[],
  service: { id: string; name: string } | undefined = { id: 'svc_web', name: 'web' },
): Promise<readonly ReservedHost[]> {
  const deployments = tags.map((tag) => wanted(`dpl_${text}_${tag}`, tag, service?.name));
  const deploy = { newService: service, deployments };
  const put = manifest(repositoryId, text, { tags, deploy });
  return (await db.writer.run('PutManifest', put)).deployments;
}

export function snapshot(...services: (readonly [service: string, text: string])[]): Snapshot {
  return {
    services: services.map(([name, text]) => ({
      ...{ serviceId: `svc_${name}`, name, repositoryId: `repo_${name}` },
      ...{ repository: `acme/shop/${name}`, digest: digest(text) as Digest, settings: {} },
    })),
    rewrites: [],
  };
}

export const activate = async (
  db: Metadata,
  id: string,
  snapshot: Snapshot,
  pointerVersion: number,
) => {
  const args = { id, snapshot, pointerVersion, now: now + 1 };
  return (await db.writer.run('ActivateDeployment', args)).outcome;
};

/** The number, id and state of each of a project, newest first. */
export async function states(db: Metadata, projectId = 'prj_1') {
  const rows = await db.deployments.page({ projectId }, undefined, 100);
  return rows.map(({ number, id, state }) => [number, id, state]);
}
