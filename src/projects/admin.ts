import { RegistryError, refuse } from '../oci/errors.ts';
import { quote } from '../oci/quote.ts';
import type { TrustPolicy } from '../ports/trust-policies.ts';
import { targetOf } from './admin-audit.ts';
import { collectionHandlers } from './admin-collection.ts';
import type { AdminDeps, Handlers } from './admin-context.ts';
import { keyHandlers } from './admin-keys.ts';
import { AdminLookup } from './admin-lookup.ts';
import type { AdminMethod, AdminParams, AdminResult } from './admin-methods.ts';
import { type PolicyChange, policyHandlers, updatePolicy } from './admin-policies.ts';
import { repositoryHandlers } from './admin-repositories.ts';
import { methodSchemas } from './admin-schemas.ts';
import { scrubHandlers } from './admin-scrub.ts';
import { teamHandlers } from './admin-teams.ts';
import { tokenHandlers } from './admin-tokens.ts';
import { isAdminMethod, validateParams } from './admin-validate.ts';
import { volumeHandlers } from './admin-volumes.ts';

export interface Admin {
  /**
   * Does what `method` names. Whoever may call it may do everything: the socket's file mode says who.
   * Rejects with `RegistryError`, always with a hint, where it refuses; every other error is a fault.
   */
  handle(method: string, params: unknown): Promise<unknown>;
  /** The same, with types, and without an audit entry: for callers that write their own. */
  call<M extends AdminMethod>(method: M, params: AdminParams<M>): Promise<AdminResult<M>>;
  /** `policy.update` of a policy that was read, and whose projects are found already. */
  updatePolicy(policy: TrustPolicy, change: PolicyChange): Promise<TrustPolicy>;
}

export function createAdmin(deps: AdminDeps): Admin {
  async function call<M extends AdminMethod>(
    method: M,
    params: AdminParams<M>,
  ): Promise<AdminResult<M>> {
    try {
      return await handlersOf(deps)[method](validateParams(method, params));
    } catch (error) {
      throw error instanceof RegistryError ? withHint(error, method) : error;
    }
  }

  async function audited<M extends AdminMethod>(
    method: M,
    params: AdminParams<M>,
  ): Promise<AdminResult<M>> {
    if (!isWrite(method, params)) return await call(method, params);
    const about = await targetOf(deps, params);
    let failure: RegistryError['info'] | undefined;
    try {
      return await call(method, params);
    } catch (error) {
      failure =
        error instanceof RegistryError
          ? error.info
          : { kind: 'internal', message: 'The server failed to do this.' };
      throw error;
    } finally {
      const outcome = failure?.kind ?? 'ok';
      deps.audit?.({ ...about, method, outcome, reason: failure?.message });
    }
  }

  return {
    call,
    updatePolicy: (policy, change) => updatePolicy(deps, policy, change),
    async handle(method, params) {
      if (isAdminMethod(method)) {
        return await audited(method, params as AdminParams<typeof method>);
      }
      throw refuse(
        'invalid',
        `There is no method ${quote(method)}; there are ${Object.keys(methodSchemas).join(', ')}.`,
        'npx gantry admin --help',
      );
    },
  };
}

function handlersOf(deps: AdminDeps): Handlers {
  const lookup = new AdminLookup(deps.metadata);
  return {
    status: async () => deps.status(),
    ...teamHandlers(deps, lookup),
    ...tokenHandlers(deps, lookup),
    ...policyHandlers(deps, lookup),
    ...keyHandlers(deps),
    ...repositoryHandlers(deps, lookup),
    ...scrubHandlers(deps, lookup),
    ...collectionHandlers(deps, lookup),
    ...volumeHandlers(deps, lookup),
  };
}

function withHint(error: RegistryError, method: AdminMethod): RegistryError {
  const { kind, message, hint, detail } = error.info;
  if (hint !== undefined) return error;
  const help = `npx gantry admin ${method.replace('.', ' ')} --help`;
  return new RegistryError({ kind, message, hint: help, detail }, { cause: error });
}

/** Two methods read unless they are given something to change. */
function isWrite(method: AdminMethod, params: unknown): boolean {
  if (/^status$|\.(list|status|show|plan)$/.test(method)) return false;
  const given = typeof params === 'object' && params !== null ? Object.keys(params).length : 0;
  return !((method === 'project.settings' || method === 'repository.visibility') && given <= 1);
}
