import { refuse } from '../../../oci/errors.ts';
import type { Team } from '../../../ports/teams.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { type Call, created, ok, type Route } from '../route.ts';
import { object, oneOf, page, slug, time, title, toTime } from '../schema.ts';

/** How long a slug that a team gave up is nobody else's. */
const slugHeldMs = 90 * 864e5;

const plan = oneOf('self-hosted', 'hobby', 'pro', 'enterprise');
const team = object(
  {
    id: { type: 'string', description: 'The username of `docker login`.' },
    slug: { type: 'string' },
    name: { type: 'string' },
    plan,
    functions: { type: 'boolean', description: 'Whether pushed images run.' },
    createdAt: time,
  },
  { title: 'Team' },
);
const viewOf = ({ createdAt, functions = true, ...rest }: Team) => ({
  ...{ ...rest, functions },
  createdAt: toTime(createdAt),
});

export const teamRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/teams',
    operationId: 'listTeams',
    tag: 'Teams',
    summary: 'The teams that the caller has to do with, by slug; all of them for an operator.',
    access: { at: 'signed-in' },
    query: pageQuery(),
    replies: { 200: { description: 'A page of teams.', schema: page(team, 'Teams') } },
    async handle(call) {
      const { cursors, metadata } = call.services;
      const { operator, grants } = call.identity;
      const known = grants.filter(({ actions }) => actions.length > 0);
      const ids = operator ? undefined : [...new Set(known.map(({ teamId }) => teamId))];
      const [after] = cursors.read('teams', call.query.cursor) ?? [];
      const limit = limitOf(call);
      const rows = await metadata.teams.page(ids, after as string | undefined, limit + 1);
      const { items, next } = cursors.page('teams', rows, limit, (row) => [row.slug]);
      return ok({ items: items.map(viewOf), next });
    },
  },
  {
    method: 'POST',
    path: '/teams',
    operationId: 'createTeam',
    tag: 'Teams',
    summary: 'Makes a team.',
    access: { at: 'operator' },
    idempotent: true,
    body: object({ slug, name: title, plan }, { optional: ['name', 'plan'], title: 'NewTeam' }),
    replies: { 201: { description: 'The team.', schema: team } },
    refusals: [409],
    async handle({ services, body }) {
      const made = await services.admin.call('team.create', body as { slug: string });
      return created(viewOf(made), `/teams/${made.slug}`);
    },
  },
  {
    method: 'GET',
    path: '/teams/{team}',
    operationId: 'getTeam',
    tag: 'Teams',
    summary: 'A team.',
    access: { at: 'team', action: 'known' },
    replies: { 200: { description: 'The team.', schema: team } },
    async handle(call) {
      return ok(viewOf(call.team));
    },
  },
  {
    method: 'PATCH',
    path: '/teams/{team}',
    operationId: 'updateTeam',
    tag: 'Teams',
    summary: 'Changes what is given of a team. The plan is for operators.',
    description:
      'With another slug, every name of the team’s images changes at once, and no other team can take the old slug for 90 days.',
    access: { at: 'team', action: 'manage' },
    body: object(
      {
        ...{ slug, name: title, plan },
        functions: {
          type: 'boolean',
          description: 'Whether pushed images run. false: what runs stops.',
        },
      },
      { optional: ['slug', 'name', 'plan', 'functions'], title: 'TeamChange' },
    ),
    replies: { 200: { description: 'The team as it is now.', schema: team } },
    refusals: [409],
    async handle({ services, body, identity, team: { id: teamId } }: Call) {
      const change = body as Partial<Pick<Team, 'slug' | 'name' | 'plan' | 'functions'>>;
      if (change.plan !== undefined && !identity.operator) {
        throw refuse(
          'denied',
          'Only an operator of this installation changes the plan of a team.',
          'Ask an operator: npx gantry admin team set-plan <team> <plan>.',
        );
      }
      const now = services.clock.now();
      const { writer, teams } = services.metadata;
      await writer.run('UpdateTeam', { teamId, ...change, now, heldUntil: now + slugHeldMs });
      if (change.functions !== undefined) services.functions?.changed({});
      return ok(viewOf((await teams.findById(teamId))!));
    },
  },
];
