import type { SimulatedPolicy } from '../../../auth/policy-simulator.ts';
import { refuse } from '../../../oci/errors.ts';
import { parseRepositoryPath } from '../../../oci/reference.ts';
import type { Team } from '../../../ports/teams.ts';
import { allActions } from '../../../ports/trust-policies.ts';
import type { ApiServices } from '../api-services.ts';
import { ok, type Route } from '../route.ts';
import { list, nullable, object, oneOf, text } from '../schema.ts';

interface Asked {
  readonly token?: string;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly repository?: string;
}

const check = object(
  {
    claim: { type: 'string', description: 'iss, aud, or a claim that the policy names.' },
    expected: list({ type: 'string' }, { description: 'One of which must match.' }),
    received: { description: 'As in the token; null where the token lacks it. Cut where long.' },
    matches: { type: 'boolean' },
    reason: { type: 'string' },
  },
  { title: 'PolicyCheck' },
);
const simulated = object(
  {
    id: { type: 'string' },
    name: { type: 'string' },
    matches: { type: 'boolean', description: 'Issuer, audience and all claims are as it asks.' },
    checks: list(check),
    projectIds: nullable(list({ type: 'string' }, { description: 'Null: all of the team.' })),
    actions: list(oneOf(...allActions), {
      description: 'What it gives: in its projects, or where a repository was named, there.',
    }),
  },
  { title: 'SimulatedPolicy' },
);
const simulation = object(
  {
    signature: {
      ...oneOf('valid', 'invalid', 'not-checked', 'unavailable', 'not-verified'),
      description:
        'Of the JWT, by the keys of its issuer. not-checked: no policy of the team names the issuer, so it was not asked; unavailable: its keys cannot be read; not-verified: bare claims have none.',
    },
    time: nullable({ type: 'string', description: 'Why it is not good now; null where it is.' }),
    accepted: { type: 'boolean', description: 'The JWT would log in now.' },
    actions: list(oneOf(...allActions), { description: 'Of all policies that match.' }),
    policies: list(simulated),
  },
  { title: 'PolicySimulation' },
);

export const simulatePolicyRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/teams/{team}/policies/simulate',
    operationId: 'simulatePolicies',
    tag: 'Trust policies',
    summary: "What each of the team's trust policies makes of a JWT, or of claims, and why.",
    description: 'The JWT is verified, and neither kept nor logged. It logs nobody in.',
    access: { at: 'team', action: 'manage' },
    // It changes nothing.
    unaudited: true,
    body: object(
      {
        token: text(16_384, { description: 'The JWT, whole. This or claims.' }),
        claims: {
          type: 'object',
          maxProperties: 200,
          additionalProperties: true,
          description: 'Claims as a JWT would have them, iss and aud among them; not verified.',
        },
        repository: text(255, {
          description: 'team/project/repository: what is given there, whether it exists or not.',
        }),
      },
      { optional: ['token', 'claims', 'repository'], title: 'PolicySimulationRequest' },
    ),
    replies: { 200: { description: 'Each policy, and why.', schema: simulation } },
    async handle({ body, team, services }) {
      const { token, claims, repository } = body as Asked;
      const { simulator, metadata } = services;
      const policies = await metadata.trustPolicies.list(team.id);
      const projectId = await projectOf(services, team, repository);
      if ((token === undefined) === (claims === undefined)) {
        throw refuse('invalid', 'The body needs either "token" or "claims".', '');
      }
      const result = claims
        ? simulator.ofClaims(policies, claims, projectId)
        : await simulator.ofJwt(policies, token!, projectId);
      if (!result) {
        throw refuse(
          'invalid',
          'The token is not a signed JWT in compact form (three parts, no line breaks).',
          'Send the whole token, as the CI job has it.',
        );
      }
      const given = new Set(result.policies.flatMap(({ actions }) => actions));
      return ok({
        signature: result.signature,
        time: result.time ?? null,
        accepted: result.accepted,
        actions: allActions.filter((action) => given.has(action)),
        policies: result.policies.map(viewOf),
      });
    },
  },
];

/** Undefined where no repository is named. */
async function projectOf(
  { metadata }: Pick<ApiServices, 'metadata'>,
  team: Team,
  name: string | undefined,
): Promise<string | undefined> {
  if (name === undefined) return undefined;
  const path = parseRepositoryPath(name);
  const project =
    path?.team === team.slug
      ? await metadata.projects.findBySlugs(path.team, path.project)
      : undefined;
  if (project?.teamId === team.id) return project.id;
  throw refuse(
    'invalid',
    `The repository must be in a project of the team: ${team.slug}/<project>/<repository>.`,
    'GET /api/v1/teams/{team}/projects lists the projects.',
  );
}

function viewOf({ policy, matches, checks, actions }: SimulatedPolicy) {
  const { id, name, projectIds } = policy;
  return { id, name, matches, checks, projectIds: projectIds ?? null, actions };
}
