import { RegistryError, refuse } from '../oci/errors.ts';
import { quote } from '../oci/quote.ts';
import type { AdminDeps, Handlers } from './admin-context.ts';
import { AdminLookup } from './admin-lookup.ts';
import type { AdminMethod, AdminParams, AdminResult } from './admin-methods.ts';
import { policyHandlers } from './admin-policies.ts';
import { repositoryHandlers } from './admin-repositories.ts';
import { methodSchemas } from './admin-schemas.ts';
import { teamHandlers } from './admin-teams.ts';
import { tokenHandlers } from './admin-tokens.ts';
import { isAdminMethod, validateParams } from './admin-validate.ts';

export interface Admin {
  /**
   * Does what `method` names. Whoever may call it may do everything: the socket's file mode says who.
   * Rejects with `RegistryError`, always with a hint, where it refuses; every other error is a fault.
   */
  handle(method: string, params: unknown): Promise<unknown>;
  /** The same, with types. */
  call<M extends AdminMethod>(method: M, params: AdminParams<M>): Promise<AdminResult<M>>;
}

export function createAdmin(deps: AdminDeps): Admin {
  async function call<M extends AdminMethod>(
    method: M,
    params: AdminParams<M>,
  ): Promise<AdminResult<M>> {
    let outcome = 'internal';
    try {
      const result = await handlersOf(deps)[method](validateParams(method, params));
      outcome = 'ok';
      return result;
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      outcome = error.kind;
      throw withHint(error, method);
    } finally {
      if (isWrite(method, params)) deps.audit?.({ method, params, outcome });
    }
  }

  return {
    call,
    async handle(method, params) {
      if (isAdminMethod(method)) return await call(method, params as AdminParams<typeof method>);
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
    ...repositoryHandlers(deps, lookup),
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
  if (method === 'status' || method.endsWith('.list')) return false;
  const given = typeof params === 'object' && params !== null ? Object.keys(params).length : 0;
  return !((method === 'project.settings' || method === 'repository.visibility') && given <= 1);
}
