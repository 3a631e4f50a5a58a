import { countLimits } from '../../../../config/plans.ts';
import { refuse } from '../../../../oci/errors.ts';
import type { RepositoryDetails, RepositoryListing } from '../../../../ports/repositories.ts';
import { newId } from '../../../../projects/ids.ts';
import { limitOf, pageQuery } from '../../paging.ts';
import { type Call, created, noContent, ok, type Route } from '../../route.ts';
import { nullable, object, oneOf, page, text, time, toTime } from '../../schema.ts';
import { locationOf, mayInProject, repositoriesPath, repositoryPath } from './places.ts';

const tag = 'Repositories';
const visibility = {
  ...oneOf('private', 'public'),
  description: 'Public: anybody may pull, without logging in.',
};
const count = { type: 'integer', minimum: 0 } as const;
const repository = object(
  {
    id: { type: 'string' },
    name: { type: 'string' },
    fullName: {
      type: 'string',
      description: 'As an image is named, without the host: `team/project/repository`.',
    },
    visibility,
    imageCount: { ...count, description: 'Manifests: of images, of indexes and of artifacts.' },
    tagCount: count,
    storedBytes: { ...count, description: 'Of its layers and configs, each once.' },
    createdAt: time,
    pushedAt: nullable({ ...time, description: 'The last push; null: never.' }),
    pulledAt: nullable({
      ...time,
      description: 'The last pull of a manifest, half a minute late at most; null: never.',
    }),
  },
  { title: 'Repository' },
);

function viewOf({ team, project }: Call, row: RepositoryDetails) {
  return {
    id: row.id,
    name: row.name,
    fullName: `${team.slug}/${project.slug}/${row.name}`,
    visibility: row.visibility,
    imageCount: row.imageCount,
    tagCount: row.tagCount,
    storedBytes: row.storedBytes,
    createdAt: toTime(row.createdAt),
    pushedAt: row.pushedAt === undefined ? null : toTime(row.pushedAt),
    pulledAt: row.pulledAt === undefined ? null : toTime(row.pulledAt),
  };
}

async function view(call: Call, id: string) {
  const row = await call.services.metadata.repositories.details(id);
  if (!row) throw refuse('not-found', 'The repository was deleted meanwhile.');
  return viewOf(call, row);
}

const listRepositories: Route = {
  method: 'GET',
  path: repositoriesPath,
  operationId: 'listRepositories',
  tag,
  summary: 'The repositories of a project.',
  description:
    'Who may not pull from the project sees its public repositories; where there are none, the project is absent.',
  access: { at: 'project', action: 'pull', orPublicParts: true },
  query: pageQuery({
    sort: { ...oneOf('name', 'pushed'), default: 'name', description: 'By name or by last push.' },
    order: {
      ...oneOf('asc', 'desc'),
      description: 'Unless given: names ascending, pushes descending (the latest first).',
    },
    name: text(255, {
      pattern: '^[a-z0-9._-]+$',
      description:
        'Only those whose name has this in it: lower-case letters, digits, ".", "_", "-".',
    }),
  }),
  replies: { 200: { description: 'A page.', schema: page(repository, 'RepositoryPage') } },
  async handle(call) {
    const { services, query, project } = call;
    const sort = query.sort as RepositoryListing['sort'];
    const order = (query.order ?? (sort === 'name' ? 'asc' : 'desc')) as RepositoryListing['order'];
    const namePart = query.name as string | undefined;
    const visible = mayInProject(call, 'pull') ? undefined : ('public' as const);
    const scope = ['repositories', project.id, sort, order, namePart ?? '', visible ?? ''].join(
      ':',
    );
    const place = services.cursors.read(scope, query.cursor);
    const limit = limitOf(call);
    const rows = await services.metadata.repositories.list(project.id, {
      ...{ sort, order, namePart, visibility: visible, limit: limit + 1 },
      after: place && { name: String(place[0]), pushedAt: Number(place[1]) },
    });
    const { items, next } = services.cursors.page(scope, rows, limit, (row) => [
      row.name,
      row.pushedAt ?? 0,
    ]);
    return ok({ items: items.map((row) => viewOf(call, row)), next });
  },
};

const createRepository: Route = {
  method: 'POST',
  path: repositoriesPath,
  operationId: 'createRepository',
  tag,
  summary: 'Makes a repository.',
  description:
    'A push makes its repository by itself, private; this makes one beforehand. One that is public from the start needs the action manage.',
  access: { at: 'project', action: 'create' },
  body: object(
    {
      name: text(255, {
        format: 'repository-name',
        description:
          'Lower-case letters and digits, between which one ".", one or two "_", or dashes may stand.',
        examples: ['web'],
      }),
      visibility: { ...visibility, default: 'private' },
    },
    { optional: ['visibility'], title: 'NewRepository' },
  ),
  replies: { 201: { description: 'It is made.', schema: repository } },
  refusals: [409],
  idempotent: true,
  async handle(call) {
    const { services, identity, project } = call;
    const body = call.body as { name: string; visibility?: 'private' | 'public' };
    if (body.visibility === 'public' && !mayInProject(call, 'manage')) {
      throw refuse(
        'denied',
        `${identity.actor} may make repositories, but not public ones: that needs the action manage.`,
        'Make it private, or use a token of scope admin.',
      );
    }
    const made = await services.metadata.writer.run('CreateRepository', {
      id: newId('repo'),
      projectId: project.id,
      name: body.name,
      visibility: body.visibility ?? 'private',
      actor: identity.actor,
      limits: countLimits(services.plans[project.plan]),
      now: services.clock.now(),
    });
    return created(await view(call, made.id), locationOf(call, made.name));
  },
};

const getRepository: Route = {
  method: 'GET',
  path: repositoryPath,
  operationId: 'getRepository',
  tag,
  summary: 'A repository: visibility, counts, stored bytes, last push and pull.',
  access: { at: 'repository', action: 'pull' },
  replies: { 200: { description: 'The repository.', schema: repository } },
  handle: async (call) => ok(await view(call, call.repository.id)),
};

const updateRepository: Route = {
  method: 'PATCH',
  path: repositoryPath,
  operationId: 'updateRepository',
  tag,
  summary: 'Makes a repository public or private.',
  access: { at: 'repository', action: 'manage' },
  body: object({ visibility }, { title: 'RepositoryChange' }),
  replies: { 200: { description: 'As it is now.', schema: repository } },
  async handle(call) {
    const { visibility: wanted } = call.body as { visibility: 'private' | 'public' };
    const repositoryId = call.repository.id;
    await call.services.metadata.writer.run('SetVisibility', { repositoryId, visibility: wanted });
    return ok(await view(call, repositoryId));
  },
};

const deleteRepository: Route = {
  method: 'DELETE',
  path: repositoryPath,
  operationId: 'deleteRepository',
  tag,
  summary: 'Deletes a repository with all that it holds.',
  description:
    'Its tags, manifests and open uploads are gone at once, and its name is free. There is no way back. Rows of a large one are removed from the database in the minutes after. Refused where it holds a tag that may not be deleted, or an image that an environment runs.',
  access: { at: 'repository', action: 'delete' },
  replies: { 204: { description: 'It is gone.' } },
  refusals: [409],
  async handle({ services, repository: { id }, identity }) {
    const { discarded, left } = await services.metadata.writer.run('DeleteRepository', {
      repositoryId: id,
      actor: identity.actor,
      now: services.clock.now(),
    });
    if (discarded > 0 || left) services.discarded();
    return noContent;
  },
};

export const repositoryRoutes: readonly Route[] = [
  listRepositories,
  createRepository,
  getRepository,
  updateRepository,
  deleteRepository,
];
