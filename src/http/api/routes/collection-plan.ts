import { refuse } from '../../../oci/errors.ts';
import { parseRepositoryPath } from '../../../oci/reference.ts';
import type { PlannedRoot, RepositoryPlan } from '../../../ports/collection-plan.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { ok, type Route } from '../route.ts';
import { digest, list, nullable, object, oneOf, page, text, time, toTime } from '../schema.ts';

const count = { type: 'integer', minimum: 0 } as const;
const string = { type: 'string' } as const;
const node = object(
  {
    digest,
    relation: {
      ...oneOf('root', 'child', 'referrer'),
      description: 'To the node above it: the last before it whose depth is one less.',
    },
    depth: count,
    tags: list(string, { description: 'That it had.' }),
    mediaType: string,
    artifactType: nullable(string),
    platform: nullable(string),
    bytes: { ...count, description: 'Of its own, and of its blobs that nothing keeps.' },
  },
  { title: 'PlannedNode' },
);
const root = object(
  {
    digest,
    tags: list(string),
    goesAt: { ...time, description: 'When the last of its tree can be restored no more.' },
    bytes: { ...count, description: 'Freed with this one alone: nothing else names them.' },
    shared: { ...count, description: 'Freed once other roots of the repository are gone, too.' },
    nodes: list(node, { description: 'The tree, each before what is below it; at most 200.' }),
    more: { ...count, description: 'Manifests of the tree that are not shown.' },
  },
  { title: 'PlannedRoot' },
);
const amount = object({ blobs: count, bytes: count }, { title: 'PlannedBlobs' });
const plan = object(
  {
    repository: { ...string, description: 'team/project/repository' },
    blobs: count,
    bytes: { ...count, description: 'Of all its roots and loose blobs, each once.' },
    loose: { ...amount, description: 'That no manifest names: the next run takes them.' },
    links: { ...count, description: 'That the next run takes, to blobs that others keep.' },
    roots: list(root, { description: 'Deleted images, those that free most first.' }),
    rootCount: count,
  },
  { title: 'RepositoryPlan' },
);

const rootOf = ({ goesAt, nodes, ...rest }: PlannedRoot) => ({
  ...rest,
  goesAt: toTime(goesAt),
  nodes: nodes.map(({ artifactType = null, platform = null, ...one }) => ({
    ...one,
    ...{ artifactType, platform },
  })),
});
const viewOf = ({ id: _, roots, ...rest }: RepositoryPlan) => ({
  ...rest,
  roots: roots.map(rootOf),
});

export const collectionPlanRoute: Route = {
  method: 'GET',
  path: '/collection/plan',
  operationId: 'planCollection',
  tag: 'Collection',
  summary: 'What collections would free, by repository, with the trees of deleted images.',
  description:
    'An index, its children and what refers to them are one tree. A blob counts where nothing that stays names it, and no other repository links it. A page may hold fewer items than asked for, or none, and still have a next one.',
  access: { at: 'operator' },
  query: pageQuery({
    repository: text(255, { description: 'Only this one: team/project/repository.' }),
    roots: {
      ...{ type: 'integer', minimum: 0, maximum: 10_000, default: 20 },
      description: 'Roots shown of each repository.',
    },
  }),
  replies: { 200: { description: 'A page.', schema: page(plan, 'CollectionPlanPage') } },
  refusals: [404],
  async handle(call) {
    const { collectionPlans, cursors, metadata } = call.services;
    const { repository: name, roots = 20, cursor } = call.query;
    const path = name === undefined ? undefined : parseRepositoryPath(String(name));
    const found = path && (await metadata.repositories.find(path));
    if (name !== undefined && !found) {
      throw refuse('not-found', 'There is no such repository.', 'Name it team/project/repository.');
    }
    const [after] = cursors.read('collection-plan', cursor) ?? [];
    const { repositories, next } = await collectionPlans.plan({
      after: after === undefined ? undefined : String(after),
      ...{ limit: limitOf(call), roots: Number(roots), repositoryId: found?.id },
    });
    const place = next === undefined ? null : cursors.sign('collection-plan', [next]);
    return ok({ items: repositories.map(viewOf), next: place });
  },
};
