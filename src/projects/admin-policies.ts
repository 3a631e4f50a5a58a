import { refuse } from '../oci/errors.ts';
import { quote } from '../oci/quote.ts';
import type { TrustPolicy } from '../ports/trust-policies.ts';
import type { AdminDeps, Handlers, Trust } from './admin-context.ts';
import type { AdminLookup } from './admin-lookup.ts';
import type { NewPolicyParams, PolicyView } from './admin-methods.ts';
import { validatePresetOptions } from './admin-validate.ts';

type PolicyMethods = 'policy.create' | 'policy.list' | 'policy.delete';

/** Trust policies: whose OIDC tokens a team accepts, and for what. */
export function policyHandlers(
  deps: AdminDeps,
  lookup: AdminLookup,
): Pick<Handlers, PolicyMethods> {
  const { trustPolicies, writer } = deps.metadata;

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
      throw refuse(
        'not-found',
        `There is no policy with the id ${quote(id)}.`,
        'npx gantry admin policy list --team <slug>',
      );
    },
  };
}

function trustOf({ presets }: AdminDeps, { preset, options }: NewPolicyParams): Trust {
  validatePresetOptions(preset, options);
  // The schema of this preset has just been checked.
  return presets[preset](options as never);
}
