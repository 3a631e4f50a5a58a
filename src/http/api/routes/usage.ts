import type { Plan } from '../../../config/plans.ts';
import { monthOf, type UsageCounts } from '../../../ports/usage.ts';
import { type Call, ok, type Route } from '../route.ts';
import { nullable, object, oneOf, type Schema } from '../schema.ts';

const count = { type: 'integer', minimum: 0 } as const;
const limit = nullable({ type: 'integer', description: 'Null: none.' });
const limited = (description: string, limitPer: string): Schema =>
  object(
    {
      used: count,
      most: { ...count, description: `Of the fullest ${limitPer}.` },
      limit,
      limitPer: oneOf(limitPer),
    },
    { description },
  );
const sized = (description: string): Schema =>
  object({ used: count, limit, limitPer: oneOf('team') }, { description });
const usage = object(
  {
    plan: { type: 'string' },
    month: { type: 'string', description: 'UTC.', examples: ['2026-11'] },
    projects: count,
    repositories: limited('The limit is of one project.', 'project'),
    images: limited('The limit is of one repository.', 'repository'),
    tags: limited('The limit is of one repository.', 'repository'),
    storedBytes: sized('Blobs, once for each repository that holds them.'),
    pulledBytes: sized('Blobs that were pulled in the month, a few seconds behind.'),
    pushedBytes: sized('Blobs that were pushed in the month, a few seconds behind.'),
  },
  { title: 'Usage' },
);
const tag = 'Usage';

export const usageRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/teams/{team}/usage',
    operationId: 'getTeamUsage',
    tag,
    summary: "What a team holds, and what it moved this month, against its plan's limits.",
    access: { at: 'team', action: 'pull' },
    replies: { 200: { description: 'The usage.', schema: usage } },
    handle: (call) => answer(call, { teamId: call.team.id }),
  },
  {
    method: 'GET',
    path: '/teams/{team}/projects/{project}/usage',
    operationId: 'getProjectUsage',
    tag,
    summary: 'The same of one project. Limits of the team hold for all its projects together.',
    access: { at: 'project', action: 'pull' },
    replies: { 200: { description: 'The usage.', schema: usage } },
    handle: (call) => answer(call, { teamId: call.team.id, projectId: call.project.id }),
  },
];

async function answer(call: Call, scope: { teamId: string; projectId?: string }) {
  const { metadata, plans, clock } = call.services;
  const month = monthOf(clock.now());
  return ok(viewOf(await metadata.usage.counts(scope, month), plans[call.team.plan], month));
}

function viewOf(held: UsageCounts, plan: Plan, month: string) {
  const { counts, storage = null, transfer = null, name } = plan;
  const { most } = held;
  const sizes = (used: number, limit: number | null) => ({ used, limit, limitPer: 'team' });
  const per = (
    limitPer: string,
    key: keyof typeof most,
    limit: number | undefined,
  ): Record<string, unknown> => ({
    ...{ used: held[key], most: most[key], limit: limit ?? null, limitPer },
  });
  return {
    ...{ plan: name, month, projects: held.projects },
    repositories: per('project', 'repositories', counts.repositoriesPerProject),
    images: per('repository', 'images', counts.imagesPerRepository),
    tags: per('repository', 'tags', counts.tagsPerRepository),
    storedBytes: sizes(held.storedBytes, storage),
    pulledBytes: sizes(held.pulledBytes, transfer),
    pushedBytes: sizes(held.pushedBytes, null),
  };
}
