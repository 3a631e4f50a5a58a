import { mayGive } from '../../../auth/delegation.ts';
import { refuse } from '../../../oci/errors.ts';
import { type Action, allActions, type TrustPolicy } from '../../../ports/trust-policies.ts';
import type { PresetName } from '../../../projects/admin-methods.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { type Call, created, noContent, ok, type Route } from '../route.ts';
import { list, nullable, object, oneOf, page, text, time, title, toTime } from '../schema.ts';
import { projectIds, projectPaths } from '../token-views.ts';

const actions = list(oneOf(...allActions), { minItems: 1, uniqueItems: true });
const claims = {
  type: 'object',
  maxProperties: 20,
  additionalProperties: list(text(1024), { minItems: 1, maxItems: 50 }),
  description:
    'What a token must say: by claim, patterns of which one must match. * is any run of characters but / and :, ** any at all.',
  examples: [{ sub: ['repo:acme/app:ref:refs/heads/main'] }],
} as const;
const audience = nullable(
  text(1024, { description: 'The only aud that is accepted; null: this registry itself.' }),
);
const projects = nullable(
  list(text(255), {
    minItems: 1,
    maxItems: 100,
    description: 'Projects as slug, team/project or id; null: all.',
  }),
);
const shown = {
  id: { type: 'string' },
  name: { type: 'string' },
  issuer: { type: 'string' },
  audience: nullable({ type: 'string' }),
  claims: { type: 'object', additionalProperties: list({ type: 'string' }) },
  projects: nullable(list({ type: 'string' }, { description: 'As team/project; null: all.' })),
  actions: list(oneOf(...allActions)),
  createdAt: time,
} as const;
const policy = object(shown, { title: 'TrustPolicy' });
const newPolicy = object(
  {
    ...shown,
    advice: nullable({ type: 'string', description: 'What would make it safer.' }),
  },
  { title: 'NewTrustPolicy' },
);

const access = { at: 'team', action: 'manage' } as const;
const tag = 'Trust policies';
const params = {
  policy: { type: 'string', maxLength: 255, description: "The policy's id." },
} as const;

interface Given {
  readonly name?: string;
  readonly projects?: readonly string[] | null;
  readonly actions?: Action[];
}
interface New extends Given {
  readonly name: string;
  readonly preset: PresetName;
  readonly options: Readonly<Record<string, unknown>>;
}
interface Change extends Given {
  readonly claims?: TrustPolicy['claims'];
  readonly audience?: string | null;
}

/** Whose OIDC tokens a team accepts, and for what. */
export const trustPolicyRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/teams/{team}/trust-policies',
    operationId: 'listTrustPolicies',
    tag,
    summary: "A team's trust policies, by name.",
    access,
    query: pageQuery(),
    replies: { 200: { description: 'A page of them.', schema: page(policy, 'TrustPolicies') } },
    async handle(call) {
      const { cursors, metadata } = call.services;
      const scope = `trust-policies:${call.team.id}`;
      const [after] = cursors.read(scope, call.query.cursor) ?? [];
      const limit = limitOf(call);
      const { trustPolicies } = metadata;
      const rows = await trustPolicies.page(call.team.id, after as string | undefined, limit + 1);
      const { items, next } = cursors.page(scope, rows, limit, (row) => [row.name]);
      return ok({ items: await Promise.all(items.map((row) => viewOf(call, row))), next });
    },
  },
  {
    method: 'POST',
    path: '/teams/{team}/trust-policies',
    operationId: 'createTrustPolicy',
    tag,
    summary: 'Accepts the tokens of GitHub, GitLab, Vercel or any other issuer.',
    description:
      'Options of the presets. github: repository, repositoryId, owner, ownerId, ref, environment, server, enterprise, audience. gitlab: project, projectId, namespace, namespaceId, ref, protectedRef, environment, server, audience. vercel: team, teamId, project, environment, mode, audience. generic: issuer, audience, claims. Nobody lets a policy do more than the caller may.',
    access,
    idempotent: true,
    body: object(
      {
        name: title,
        preset: oneOf('github', 'gitlab', 'vercel', 'generic'),
        options: { type: 'object', description: 'Those of the preset.' },
        projects,
        actions: { ...actions, description: 'Pull and push, unless given.' },
      },
      { optional: ['projects', 'actions'], title: 'TrustPolicyRequest' },
    ),
    replies: { 201: { description: 'The policy.', schema: newPolicy } },
    async handle(call) {
      const { services, team } = call;
      const { name, preset, options, projects, actions = ['pull', 'push'] } = call.body as New;
      const ids = await ownProjects(call, projects);
      checkGiven(call, ids, actions);
      const made = await services.admin.call('policy.create', {
        ...{ team: team.slug, name, preset, options, actions },
        ...(ids && { projects: ids }),
      });
      const stored = await policyOf(call, made.id);
      const answer = { ...(await viewOf(call, stored)), advice: made.advice ?? null };
      return created(answer, `/teams/${team.slug}/trust-policies/${made.id}`);
    },
  },
  {
    method: 'GET',
    path: '/teams/{team}/trust-policies/{policy}',
    operationId: 'getTrustPolicy',
    tag,
    summary: 'A trust policy.',
    access,
    params,
    replies: { 200: { description: 'The policy.', schema: policy } },
    async handle(call) {
      return ok(await viewOf(call, await policyOf(call, call.params.policy!)));
    },
  },
  {
    method: 'PATCH',
    path: '/teams/{team}/trust-policies/{policy}',
    operationId: 'updateTrustPolicy',
    tag,
    summary: 'Changes what is given of a trust policy. Its issuer stays.',
    description:
      'The policy as it is then may do no more than the caller. What was signed in by the claims of before ends with its own token; to end it at once, delete the policy.',
    access,
    params,
    body: object(
      { name: title, claims, audience, projects, actions },
      {
        optional: ['name', 'claims', 'audience', 'projects', 'actions'],
        title: 'TrustPolicyChange',
      },
    ),
    replies: { 200: { description: 'The policy as it is now.', schema: policy } },
    refusals: [409],
    async handle(call) {
      const before = await policyOf(call, call.params.policy!);
      const { projects, ...change } = call.body as Change;
      const ids = projects === undefined ? before.projectIds : await ownProjects(call, projects);
      checkGiven(call, ids, change.actions ?? before.actions);
      const { admin } = call.services;
      return ok(
        await viewOf(call, await admin.updatePolicy(before, { ...change, projectIds: ids })),
      );
    },
  },
  {
    method: 'DELETE',
    path: '/teams/{team}/trust-policies/{policy}',
    operationId: 'deleteTrustPolicy',
    tag,
    summary: 'Stops accepting such tokens, within seconds; what was signed in by them ends, too.',
    access,
    params,
    replies: { 204: { description: 'It is gone.' } },
    async handle(call) {
      const { id } = await policyOf(call, call.params.policy!);
      await call.services.metadata.writer.run('DeleteTrustPolicy', { id });
      return noContent;
    },
  },
];

function ownProjects(call: Call, projects: readonly string[] | null | undefined) {
  const { team } = call;
  return projectIds(call, projects, team.slug, (project) => project.teamId === team.id);
}

function checkGiven(
  { identity, team }: Call,
  ids: readonly string[] | undefined,
  actions: readonly Action[],
): void {
  if (mayGive(identity, { teamId: team.id, projectIds: ids, actions })) return;
  throw refuse(
    'denied',
    `${identity.actor} may not do all of ${actions.join(', ')} there itself, and cannot let a policy do so.`,
    'Give fewer actions or projects, or ask an admin of the team.',
  );
}

async function policyOf({ services, team }: Call, id: string): Promise<TrustPolicy> {
  const [found] = await services.metadata.trustPolicies.findByIds([id]);
  if (found?.teamId === team.id) return found;
  throw refuse(
    'not-found',
    'The team has no such trust policy.',
    'List them: GET /api/v1/teams/{team}/trust-policies.',
  );
}

async function viewOf({ services }: Call, row: TrustPolicy) {
  const { id, name, issuer, audience, claims, actions } = row;
  const paths = await projectPaths(services, row.projectIds ?? []);
  const projects = row.projectIds?.map((one) => paths.get(one) ?? one) ?? null;
  const createdAt = toTime(row.createdAt);
  return { id, name, issuer, audience: audience ?? null, claims, projects, actions, createdAt };
}
