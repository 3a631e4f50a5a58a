import { mayAct } from '../../../../auth/authorizer.ts';
import { countLimits } from '../../../../config/plans.ts';
import type { Digest } from '../../../../oci/digest.ts';
import type { ChildImage } from '../../../../ports/manifests.ts';
import type { TagListing, TagRow } from '../../../../ports/tags.ts';
import { limitOf, pageQuery } from '../../paging.ts';
import { type Call, created as createdAt, noContent, ok, type Route } from '../../route.ts';
import { digest, list, object, oneOf, page, text, time, toTime } from '../../schema.ts';
import { locationOf, repositoryPath, unknownTag } from './places.ts';

const about = 'Tags';
const count = { type: 'integer', minimum: 0 } as const;
export const tagName = text(128, {
  pattern: '^[A-Za-z0-9_][A-Za-z0-9._-]*$',
  description: 'Letters, digits, ".", "_" and "-"; the first is a letter, a digit or "_".',
  examples: ['latest'],
});
const tag = object(
  {
    name: tagName,
    digest,
    mediaType: { type: 'string' },
    size: { ...count, description: 'Bytes of the manifest itself.' },
    imageSize: {
      ...count,
      description:
        'Compressed bytes of config and layers; of an index, those of its images together.',
    },
    platforms: list({ type: 'string' }, { examples: [['linux/amd64', 'linux/arm64']] }),
    createdAt: time,
    pushedAt: { ...time, description: 'When it was last moved.' },
    pushedBy: { type: 'string', description: "Who moved it: a token's name, or a JWT's subject." },
  },
  { title: 'Tag' },
);

function viewOf(row: TagRow, children: readonly ChildImage[] | undefined) {
  const images = children ?? [];
  const platforms = [row.platform, ...images.map((image) => image.platform)];
  return {
    name: row.name,
    digest: row.digest,
    mediaType: row.mediaType,
    size: row.size,
    imageSize: images.reduce((sum, image) => sum + image.imageSize, row.imageSize),
    platforms: [...new Set(platforms.filter((one) => one !== undefined))].sort(),
    createdAt: toTime(row.createdAt),
    pushedAt: toTime(row.updatedAt),
    pushedBy: row.updatedBy,
  };
}

async function viewsOf({ services, repository }: Call, rows: readonly TagRow[]) {
  const digests = [...new Set(rows.map((row) => row.digest))];
  const children = Map.groupBy(
    await services.metadata.manifests.childImages(repository.id, digests),
    ({ parent }) => parent,
  );
  return rows.map((row) => viewOf(row, children.get(row.digest)));
}

async function view(call: Call, name: string) {
  const row = await call.services.metadata.tags.find(call.repository.id, name);
  if (!row) throw unknownTag(name);
  const [shown] = await viewsOf(call, [row]);
  return shown;
}

const listTags: Route = {
  method: 'GET',
  path: `${repositoryPath}/tags`,
  operationId: 'listTags',
  tag: about,
  summary: 'The tags of a repository, by name or by date.',
  access: { at: 'repository', action: 'pull' },
  query: pageQuery({
    sort: {
      ...oneOf('name', 'date'),
      default: 'name',
      description: 'By name in byte order, or by the time of the last push.',
    },
    order: {
      ...oneOf('asc', 'desc'),
      description: 'Unless given: names ascending, dates descending (the latest first).',
    },
  }),
  replies: { 200: { description: 'A page.', schema: page(tag, 'TagPage') } },
  async handle(call) {
    const { services, query, repository } = call;
    const sort = query.sort as TagListing['sort'];
    const order = (query.order ?? (sort === 'name' ? 'asc' : 'desc')) as TagListing['order'];
    const scope = ['tags', repository.id, sort, order].join(':');
    const place = services.cursors.read(scope, query.cursor);
    const limit = limitOf(call);
    const rows = await services.metadata.tags.page(repository.id, {
      ...{ sort, order, limit: limit + 1 },
      after: place && { name: String(place[0]), updatedAt: Number(place[1]) },
    });
    const { items, next } = services.cursors.page(scope, rows, limit, (row) => [
      row.name,
      row.updatedAt,
    ]);
    return ok({ items: await viewsOf(call, items), next });
  },
};

const getTag: Route = {
  method: 'GET',
  path: `${repositoryPath}/tags/{tag}`,
  operationId: 'getTag',
  tag: about,
  summary: 'What a tag points at.',
  access: { at: 'repository', action: 'pull' },
  params: { tag: tagName },
  replies: { 200: { description: 'The tag.', schema: tag } },
  handle: async (call) => ok(await view(call, call.params.tag!)),
};

const putTag: Route = {
  method: 'PUT',
  path: `${repositoryPath}/tags/{tag}`,
  operationId: 'putTag',
  tag: about,
  summary: 'Points a tag at an image that the repository holds.',
  description:
    'A new tag needs the action create; one that points at something else needs push, and may be immutable.',
  access: { at: 'repository', action: 'create' },
  params: { tag: tagName },
  body: object({ digest }, { title: 'TagTarget' }),
  replies: {
    200: { description: 'The tag was there.', schema: tag },
    201: { description: 'The tag is new.', schema: tag },
  },
  refusals: [409],
  async handle(call) {
    const { services, identity, repository, project } = call;
    const name = call.params.tag!;
    const { created } = await services.metadata.writer.run('PutTag', {
      repositoryId: repository.id,
      tag: name,
      digest: (call.body as { digest: Digest }).digest,
      overwrite: mayAct(identity, repository, 'push'),
      actor: identity.actor,
      limits: countLimits(services.plans[project.plan]),
      now: services.clock.now(),
    });
    const body = await view(call, name);
    if (!created) return ok(body);
    return createdAt(body, `${locationOf(call, repository.name)}/tags/${name}`);
  },
};

const deleteTag: Route = {
  method: 'DELETE',
  path: `${repositoryPath}/tags/{tag}`,
  operationId: 'deleteTag',
  tag: about,
  summary: 'Deletes a tag.',
  description: 'The image that it points at stays, and so do its other tags.',
  access: { at: 'repository', action: 'delete' },
  params: { tag: tagName },
  replies: { 204: { description: 'It is gone.' } },
  refusals: [409],
  async handle({ services, identity, repository, params }) {
    await services.metadata.writer.run('DeleteTag', {
      repositoryId: repository.id,
      tag: params.tag!,
      actor: identity.actor,
      now: services.clock.now(),
    });
    return noContent;
  },
};

export const tagRoutes: readonly Route[] = [listTags, getTag, putTag, deleteTag];
