import { type Digest, parseDigest } from '../../../../oci/digest.ts';
import type { ManifestDetails } from '../../../../ports/manifests.ts';
import { restorableUntilOf } from '../../../handlers/manifests.ts';
import { limitOf, pageQuery } from '../../paging.ts';
import { type Call, noContent, ok, type Route } from '../../route.ts';
import { digest, page } from '../../schema.ts';
import { manifestDetail, manifestSummary } from './manifest-schemas.ts';
import { detailOf, summaryOf } from './manifest-views.ts';
import { repositoryPath, unknownManifest } from './places.ts';

const about = 'Manifests';
/** Tags shown of each row of the list. */
const fewTags = 10;

async function summariesOf({ services, repository }: Call, rows: readonly ManifestDetails[]) {
  const { manifests, tags } = services.metadata;
  const digests = rows.map((row) => row.digest);
  const children = Map.groupBy(
    await manifests.childImages(repository.id, digests),
    ({ parent }) => parent,
  );
  return Promise.all(
    rows.map(async (row) =>
      summaryOf(
        row,
        children.get(row.digest) ?? [],
        await tags.namesOf(repository.id, row.digest, undefined, fewTags),
      ),
    ),
  );
}

const listManifests: Route = {
  method: 'GET',
  path: `${repositoryPath}/manifests`,
  operationId: 'listManifests',
  tag: about,
  summary: 'The images, indexes and artifacts of a repository, the latest first.',
  access: { at: 'repository', action: 'pull' },
  query: pageQuery(),
  replies: { 200: { description: 'A page.', schema: page(manifestSummary, 'ManifestPage') } },
  async handle(call) {
    const { services, query, repository } = call;
    const scope = `manifests:${repository.id}`;
    const place = services.cursors.read(scope, query.cursor);
    const limit = limitOf(call);
    const after = place && { pushedAt: Number(place[0]), digest: String(place[1]) as Digest };
    const rows = await services.metadata.manifests.newest(repository.id, after, limit + 1);
    const { items, next } = services.cursors.page(scope, rows, limit, (row) => [
      row.pushedAt,
      row.digest,
    ]);
    return ok({ items: await summariesOf(call, items), next });
  },
};

const getManifest: Route = {
  method: 'GET',
  path: `${repositoryPath}/manifests/{digest}`,
  operationId: 'getManifest',
  tag: about,
  summary: 'What an image is made of: platforms, layers, config, history, signatures, tags.',
  access: { at: 'repository', action: 'pull' },
  params: { digest },
  replies: { 200: { description: 'The manifest.', schema: manifestDetail } },
  async handle({ services, repository, params }) {
    const wanted = parseDigest(params.digest!)!;
    const inspection = await services.inspector.inspect(repository.id, wanted);
    if (!inspection) throw unknownManifest(wanted);
    return ok(detailOf(inspection));
  },
};

const deleteManifest: Route = {
  method: 'DELETE',
  path: `${repositoryPath}/manifests/{digest}`,
  operationId: 'deleteManifest',
  tag: about,
  summary: 'Deletes a manifest with the tags that point at it.',
  description:
    'Refused where an index of the repository names it: that could not be pulled then. It can be restored for a while.',
  access: { at: 'repository', action: 'delete' },
  params: { digest },
  replies: { 204: { description: 'It is gone.' } },
  refusals: [409],
  async handle({ services, identity, repository, params }) {
    const now = services.clock.now();
    await services.metadata.writer.run('DeleteManifest', {
      repositoryId: repository.id,
      digest: parseDigest(params.digest!)!,
      actor: identity.actor,
      now,
      restorableUntil: restorableUntilOf(services, now),
    });
    return noContent;
  },
};

export const manifestRoutes: readonly Route[] = [listManifests, getManifest, deleteManifest];
