import { refuse } from '../oci/errors.ts';
import { quote } from '../oci/quote.ts';
import type { Action, TrustPolicy } from '../ports/trust-policies.ts';
import type { AdminDeps, Handlers, Trust } from './admin-context.ts';
import type { AdminLookup } from './admin-lookup.ts';
import type { NewPolicyParams, PolicyView } from './admin-methods.ts';
import { validatePresetOptions } from './admin-validate.ts';

type PolicyMethods = 'policy.create' | 'policy.update' | 'policy.list' | 'policy.delete';

/** Trust policies: whose OIDC tokens a team accepts, and for what. */
export function policyHandlers(
  deps: AdminDeps,
  lookup: AdminLookup,
): Pick<Handlers, PolicyMethods> {
  const { teams, trustPolicies, writer } = deps.metadata;

  async function viewOf(policy: TrustPolicy, team: string): Promise<PolicyView> {
    const { id, name, issuer, audience, claims, actions, createdAt } = policy;
    const projects = await lookup.projectPaths(policy.projectIds);
    return {
      id,
      team,
      name,
      issuer,
      ...(audience !== undefined && { audience }),
      claims,
      ...(projects && { projects }),
      actions,
      createdAt,
    };
  }

  async function policyOf(id: string): Promise<TrustPolicy> {
    const [policy] = await trustPolicies.findByIds([id]);
    if (policy) return policy;
    throw unknownPolicy(id);
  }

  return {
    async 'policy.create'(params) {
      const team = await lookup.team(params.team);
      const projectIds = await lookup.projectIds(params.projects, team);
      const { issuer, audience, claims, advice } = trustOf(deps, params);
      const policy: TrustPolicy = {
        id: deps.newId('pol'),
        teamId: team.id,
        name: params.name,
        issuer,
        audience,
        claims,
        projectIds,
        actions: [...new Set(params.actions ?? (['pull', 'push'] as const))],
        createdAt: deps.clock.now(),
      };
      await writer.run('CreateTrustPolicy', policy);
      return { ...(await viewOf(policy, team.slug)), ...(advice !== undefined && { advice }) };
    },

    async 'policy.update'({ policy: id, projects, ...change }) {
      const policy = await policyOf(id);
      const team = (await teams.findById(policy.teamId))!;
      const projectIds = projects ? await lookup.projectIds(projects, team) : policy.projectIds;
      return await viewOf(await updatePolicy(deps, policy, { ...change, projectIds }), team.slug);
    },

    async 'policy.list'({ team: reference }) {
      const team = await lookup.team(reference);
      const views: PolicyView[] = [];
      for (const policy of await trustPolicies.list(team.id)) {
        views.push(await viewOf(policy, team.slug));
      }
      return { policies: views };
    },

    async 'policy.delete'({ policy: id }) {
      const { deleted } = await writer.run('DeleteTrustPolicy', { id });
      if (deleted) return { deleted };
      throw unknownPolicy(id);
    },
  };
}

export interface PolicyChange {
  readonly name?: string | undefined;
  readonly claims?: TrustPolicy['claims'] | undefined;
  /** Null: this instance's own. */
  readonly audience?: string | null | undefined;
  /** Undefined: all of the team. */
  readonly projectIds: readonly string[] | undefined;
  readonly actions?: readonly Action[] | undefined;
}

/** Writes the whole policy, as it was read, with what is given: nobody else's change is mixed with it. */
export async function updatePolicy(
  deps: AdminDeps,
  policy: TrustPolicy,
  { name = policy.name, projectIds, ...change }: PolicyChange,
): Promise<TrustPolicy> {
  const audience = change.audience === undefined ? policy.audience : (change.audience ?? undefined);
  const claims = change.claims ?? policy.claims;
  const actions = [...new Set(change.actions ?? policy.actions)];
  const updated: TrustPolicy = { ...policy, name, claims, audience, projectIds, actions };
  if (change.claims || change.audience !== undefined) {
    const options = { issuer: policy.issuer, claims, ...(audience && { audience }) };
    trustOf(deps, { preset: 'generic', options });
  }
  await deps.metadata.writer.run('UpdateTrustPolicy', updated);
  return updated;
}

function unknownPolicy(id: string) {
  return refuse(
    'not-found',
    `There is no policy with the id ${quote(id)}.`,
    'npx gantry admin policy list --team <slug>',
  );
}

function trustOf(
  { presets }: AdminDeps,
  { preset, options }: Pick<NewPolicyParams, 'preset' | 'options'>,
): Trust {
  validatePresetOptions(preset, options);
  // The schema of this preset has just been checked.
  return presets[preset](options as never);
}
