import { mayAct } from '../../../../auth/authorizer.ts';
import { countLimits } from '../../../../config/plans.ts';
import { type Digest, parseDigest } from '../../../../oci/digest.ts';
import { refuse } from '../../../../oci/errors.ts';
import type { DeletedManifest } from '../../../../ports/trash.ts';
import { limitOf, pageQuery } from '../../paging.ts';
import { ok, type Route } from '../../route.ts';
import { digest, list, nullable, object, page, time, toTime } from '../../schema.ts';
import { repositoryPath } from './places.ts';

const about = 'Manifests';
const count = { type: 'integer', minimum: 0 } as const;
const string = { type: 'string' } as const;
const names = list(string);
const deleted = object(
  {
    digest,
    mediaType: string,
    size: { ...count, description: 'Bytes of the manifest itself.' },
    imageSize: { ...count, description: 'Compressed bytes of config and layers; 0 for an index.' },
    platform: nullable({ ...string, description: '`os/architecture` of an image.' }),
    artifactType: nullable(string),
    subject: nullable(digest),
    tags: { ...names, description: 'That pointed at it.' },
    pushedAt: time,
    pushedBy: string,
    deletedAt: time,
    deletedBy: string,
    restorableUntil: time,
  },
  { title: 'DeletedManifest' },
);
const restored = object(
  {
    digest,
    tags: { ...names, description: 'That point at it again.' },
    tagsTaken: { ...names, description: 'That were set meanwhile, and stay as they are.' },
    manifests: { ...list(digest), description: 'That it names and that came back with it.' },
    alreadyThere: {
      type: 'boolean',
      description: 'The repository held it, as after another push: nothing changed.',
    },
  },
  { title: 'RestoredManifest' },
);

const viewOf = (row: DeletedManifest) => ({
  digest: row.digest,
  mediaType: row.mediaType,
  size: row.size,
  imageSize: row.imageSize,
  platform: row.platform ?? null,
  artifactType: row.artifactType ?? null,
  subject: row.subject ?? null,
  tags: row.tags,
  pushedAt: toTime(row.pushedAt),
  pushedBy: row.pushedBy,
  deletedAt: toTime(row.deletedAt),
  deletedBy: row.deletedBy,
  restorableUntil: toTime(row.expiresAt),
});

export const deletedRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${repositoryPath}/deleted`,
    operationId: 'listDeletedManifests',
    tag: about,
    summary:
      'Deleted manifests that can be restored, the last deleted first; without those that were pushed again.',
    access: { at: 'repository', action: 'delete' },
    query: pageQuery(),
    replies: { 200: { description: 'A page.', schema: page(deleted, 'DeletedManifestPage') } },
    async handle(call) {
      const { services, query, repository } = call;
      const scope = `deleted:${repository.id}`;
      const place = services.cursors.read(scope, query.cursor);
      const limit = limitOf(call);
      const after = place && { deletedAt: Number(place[0]), digest: String(place[1]) as Digest };
      const now = services.clock.now();
      const rows = await services.metadata.trash.page(repository.id, now, after, limit + 1);
      const { items, next } = services.cursors.page(scope, rows, limit, (row) => [
        row.deletedAt,
        row.digest,
      ]);
      return ok({ items: items.map(viewOf), next });
    },
  },
  {
    method: 'POST',
    path: `${repositoryPath}/deleted/{digest}/restore`,
    operationId: 'restoreManifest',
    tag: about,
    summary: 'Puts a deleted manifest back, with its tags where they are free.',
    description:
      'As a push does: by the limits of the plan. Manifests that it names come back with it. One that is there, as after another push, stays as it is. Needs the action push, too.',
    access: { at: 'repository', action: 'delete' },
    params: { digest },
    replies: { 200: { description: 'It is back.', schema: restored } },
    async handle({ services, identity, repository, project, params }) {
      if (!mayAct(identity, repository, 'push')) {
        throw refuse(
          'denied',
          `${identity.actor} may delete here, but not push, which restoring is.`,
          'Use a token of scope admin, or a trust policy with the action push, too.',
        );
      }
      const wanted = parseDigest(params.digest!)!;
      const done = await services.metadata.writer.run('RestoreManifest', {
        repositoryId: repository.id,
        digest: wanted,
        actor: identity.actor,
        limits: countLimits(services.plans[project.plan]),
        now: services.clock.now(),
      });
      return ok({ digest: wanted, ...done });
    },
  },
];
