import { describe } from '../../oci/errors.ts';
import type { RuntimeCapabilities } from '../../ports/runtime-driver.ts';
import type { DeploymentWatch } from '../../scheduler/deployments/deployment-watch.ts';
import type { PruneSettings } from '../../scheduler/deployments/pruner.ts';
import type { DomainKeeper } from '../../scheduler/domains/domain-keeper.ts';
import type { InstanceView } from '../../scheduler/instance.ts';
import { availableMachines, type MachineTypes } from '../../scheduler/machine-types.ts';
import type { FunctionPool } from '../../scheduler/pool/function-pool.ts';

/** What the API's handlers ask of functions, beside the database. Made in compose.ts. */
export interface FunctionServices {
  readonly watch: DeploymentWatch;
  /** Those that there are of a project. */
  instances(projectId: string): readonly InstanceView[];
  /** What this installation runs and what it lacks. */
  status(): Promise<FunctionStatus>;
  /** Without port: below it, names are given by Gantry. */
  readonly domain: string;
  /** Proofs of custom domains. */
  readonly domains: Pick<DomainKeeper, 'isTrusted' | 'check'>;
  /** How long deployments are kept. */
  readonly pruning: PruneSettings;
  /** Names of the installation itself, which lead to no function. */
  ownNames(): readonly string[];
  /** What should run is other now: a pointer moved, functions were switched, a deployment (`deleted`) ended. */
  changed(change: { replaced?: string | null; deleted?: string }): void;
  /** Variables or secrets are others: instances that were made of the old ones are replaced. */
  environmentChanged(projectId: string): void;
  /** A service takes no requests, or takes them again. */
  paused(projectId: string, service: string, paused: boolean): void;
}

export interface FunctionStatus {
  readonly enabled: boolean;
  /** Such as `Docker 29.0`; undefined: none. */
  readonly engine: string | undefined;
  readonly platforms: readonly string[];
  /** Names of machine types that the host can run. */
  readonly machineTypes: readonly string[];
  readonly networkGuard: boolean;
  /** What is missing and how to get it: one sentence each. */
  readonly missing: readonly string[];
}

export function createFunctionServices(deps: {
  watch: DeploymentWatch;
  /** Undefined, as `capabilities`: there is no engine. */
  pool: FunctionPool | undefined;
  capabilities: (() => Promise<RuntimeCapabilities>) | undefined;
  machines: MachineTypes;
  /** Why there is no engine, and how to get one. */
  missing: string | undefined;
  domain: string;
  pruning: PruneSettings;
  domains: FunctionServices['domains'];
  ownNames(): readonly string[];
  /** Names that lead to functions are to be looked up anew. */
  namesChanged(): void;
  log: { warn(message: string, fields?: Readonly<Record<string, unknown>>): void };
}): FunctionServices {
  const { watch, pool, capabilities, machines, missing, domain, pruning, ownNames, log } = deps;
  const failed = (error: unknown) =>
    log.warn('what runs could not be compared', { cause: describe(error) });
  return {
    ...{ watch, domain, domains: deps.domains, pruning, ownNames },
    instances: (projectId) => pool?.instances(projectId) ?? [],
    async status() {
      const none = { platforms: [], machineTypes: [], networkGuard: false };
      if (!capabilities) {
        return { enabled: false, engine: undefined, ...none, missing: missing ? [missing] : [] };
      }
      try {
        const host = await capabilities();
        const { platforms, networkGuard } = host;
        const machineTypes = availableMachines(host, machines);
        const engine = host.version;
        return {
          ...{ enabled: true, engine, platforms, machineTypes, networkGuard },
          missing: host.missing,
        };
      } catch {
        const away = 'The container engine does not answer: its operator finds out why.';
        return { enabled: true, engine: undefined, ...none, missing: [away] };
      }
    },
    changed({ replaced, deleted }) {
      deps.namesChanged();
      if (replaced) pool?.retire(replaced);
      if (deleted) pool?.remove(deleted).catch(failed);
      pool?.pointersMoved().catch(failed);
    },
    environmentChanged(projectId) {
      pool?.environmentChanged(projectId).catch(failed);
    },
    paused(projectId, service, paused) {
      deps.namesChanged();
      if (paused) pool?.pause(projectId, service).catch(failed);
      else pool?.resume(projectId, service);
      pool?.pointersMoved().catch(failed);
    },
  };
}
