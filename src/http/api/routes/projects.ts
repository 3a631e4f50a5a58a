import { refuse } from '../../../oci/errors.ts';
import type { Identity } from '../../../ports/identity.ts';
import type { Project } from '../../../ports/projects.ts';
import type { ProjectSettingsChange } from '../../../projects/admin-methods.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { created, noContent, ok, type Route } from '../route.ts';
import { list, nullable, object, oneOf, page, slug, text, time, toTime } from '../schema.ts';

const layerCompressions = nullable(
  list(oneOf('none', 'gzip', 'zstd'), {
    ...{ minItems: 1, uniqueItems: true },
    description: 'Compressions that the layers of images may have; null: all.',
  }),
);
const platforms = nullable(
  list(text(65, { format: 'platform', examples: ['linux/amd64'] }), {
    ...{ minItems: 1, maxItems: 50, uniqueItems: true },
    description: 'Platforms that images may have, as os/architecture; null: all.',
  }),
);
const functionFields = {
  enabled: { type: 'boolean', description: 'Whether pushed images run. false: what runs stops.' },
  autoDeploy: {
    type: 'boolean',
    description: 'Whether a push to a repository without a service makes one of its name.',
  },
  productionTag: text(128, {
    format: 'tag',
    description: 'The tag that goes to production; others are previews.',
  }),
  network: {
    ...oneOf('public', 'open'),
    description:
      'What functions reach: public, the internet alone; open, private networks, too. Set by operators.',
  },
} as const;
const settings = object(
  {
    layerCompressions,
    platforms,
    functions: object(functionFields, { title: 'ProjectFunctions' }),
  },
  { title: 'ProjectSettings' },
);
const functionChange = object(functionFields, {
  optional: Object.keys(functionFields),
  title: 'ProjectFunctionsChange',
});
const change = object(
  { layerCompressions, platforms, functions: functionChange },
  { optional: ['layerCompressions', 'platforms', 'functions'], title: 'ProjectSettingsChange' },
);
const project = object(
  {
    id: { type: 'string' },
    team: { type: 'string', description: "The team's slug." },
    slug: { type: 'string' },
    path: { type: 'string', description: 'team/project, as names of images begin.' },
    plan: { type: 'string' },
    settings,
    createdAt: time,
  },
  { title: 'Project' },
);
const tag = 'Projects';

export const projectRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/teams/{team}/projects',
    operationId: 'listProjects',
    tag,
    summary: 'The projects of a team that the caller has to do with, by slug.',
    access: { at: 'team', action: 'known' },
    query: pageQuery(),
    replies: { 200: { description: 'A page of projects.', schema: page(project, 'Projects') } },
    async handle(call) {
      const { cursors, metadata } = call.services;
      const scope = `projects:${call.team.id}`;
      const [after] = cursors.read(scope, call.query.cursor) ?? [];
      const limit = limitOf(call);
      const place = { teamId: call.team.id, ids: knownProjects(call.identity, call.team.id) };
      const rows = await metadata.projects.page(place, after as string | undefined, limit + 1);
      const { items, next } = cursors.page(scope, rows, limit, (row) => [row.slug]);
      return ok({ items: items.map(viewOf), next });
    },
  },
  {
    method: 'POST',
    path: '/teams/{team}/projects',
    operationId: 'createProject',
    tag,
    summary: 'Makes a project.',
    access: { at: 'team', action: 'manage' },
    idempotent: true,
    body: object({ slug, settings: change }, { optional: ['settings'], title: 'NewProject' }),
    replies: { 201: { description: 'The project.', schema: project } },
    async handle({ services, body, team, identity }) {
      const { slug, settings } = body as { slug: string; settings?: ProjectSettingsChange };
      requireOperatorFor(identity, settings);
      const path = `${team.slug}/${slug}`;
      const made = await services.admin.call('project.create', { project: path, ...settings });
      const view = viewOf({ ...made, teamId: team.id, teamSlug: team.slug, slug });
      return created(view, `/teams/${team.slug}/projects/${slug}`);
    },
  },
  {
    method: 'GET',
    path: '/teams/{team}/projects/{project}',
    operationId: 'getProject',
    tag,
    summary: 'A project.',
    access: { at: 'project', action: 'pull' },
    replies: { 200: { description: 'The project.', schema: project } },
    async handle(call) {
      return ok(viewOf(call.project));
    },
  },
  {
    method: 'PATCH',
    path: '/teams/{team}/projects/{project}',
    operationId: 'updateProject',
    tag,
    summary: 'Changes what is given of the settings of a project.',
    description: 'They hold for pushes from then on; what is there stays.',
    access: { at: 'project', action: 'manage' },
    body: object({ settings: change }, { title: 'ProjectChange' }),
    replies: { 200: { description: 'The project as it is now.', schema: project } },
    async handle({ services, body, project, identity }) {
      const { settings: given } = body as { settings: ProjectSettingsChange };
      requireOperatorFor(identity, given, project.settings.functions?.network);
      const path = `${project.teamSlug}/${project.slug}`;
      const { settings } = await services.admin.call('project.settings', {
        ...{ project: path },
        ...given,
      });
      if (given.functions) services.functions?.changed({});
      return ok(viewOf({ ...project, settings }));
    },
  },
  {
    method: 'DELETE',
    path: '/teams/{team}/projects/{project}',
    operationId: 'deleteProject',
    tag,
    summary: 'Deletes a project that holds no repositories, with its secrets and variables.',
    access: { at: 'project', action: 'manage' },
    replies: { 204: { description: 'It is gone.' } },
    refusals: [409],
    async handle({ services, project: { id: projectId } }) {
      await services.metadata.writer.run('DeleteProject', { projectId });
      return noContent;
    },
  },
];

/** Beyond the internet are the installation's own networks: its operators', not a team's. */
function requireOperatorFor(
  { operator }: Identity,
  change: ProjectSettingsChange | undefined,
  before: 'public' | 'open' = 'public',
): void {
  const wanted = change?.functions?.network ?? before;
  if (operator || wanted === 'public' || wanted === before) return;
  throw refuse(
    'denied',
    'Only an operator of this installation opens private networks to functions.',
    'Ask an operator.',
  );
}

/** Undefined: all. */
function knownProjects({ grants, operator }: Identity, teamId: string): string[] | undefined {
  const own = grants.filter((grant) => grant.teamId === teamId && grant.actions.length > 0);
  if (operator || own.some(({ projectIds }) => projectIds === undefined)) return undefined;
  return own.flatMap(({ projectIds }) => projectIds ?? []);
}

function viewOf({ id, teamSlug, slug, plan, settings, createdAt }: Project) {
  return {
    ...{ id, team: teamSlug, slug, path: `${teamSlug}/${slug}`, plan },
    settings: {
      layerCompressions: settings.layerCompressions ?? null,
      platforms: settings.platforms ?? null,
      functions: {
        ...{ enabled: true, autoDeploy: true, productionTag: 'latest', network: 'public' },
        ...settings.functions,
      },
    },
    createdAt: toTime(createdAt),
  };
}
