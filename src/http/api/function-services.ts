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
  /** What whoever deploys here should know, as it was found lately. */
  warnings(): Promise<readonly FunctionWarning[]>;
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

/** No reason not to deploy. */
export interface FunctionWarning {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export const unguardedWarning: FunctionWarning = {
  code: 'NO_NETWORK_GUARD',
  message:
    'Nothing on this host keeps functions from its private networks: what is deployed can reach them.',
  hint: 'Deploy only images that you trust with that. The operator can start the network guard: the log of Gantry has the line.',
};

/** Milliseconds for which what the host can do is not asked again, and that somebody waits for it the first time. */
const freshMs = 10_000;
const patienceMs = 2_000;

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
  let host: RuntimeCapabilities | undefined;
  let asked = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> = Promise.resolve();
  async function known(): Promise<RuntimeCapabilities | undefined> {
    if (!capabilities) return undefined;
    if (performance.now() - asked > freshMs) {
      asked = performance.now();
      asking = capabilities().then(
        (found) => {
          host = found;
        },
        () => {},
      );
    }
    // What was known holds until it is known anew: nobody waits for an engine that hangs.
    if (!host) {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, patienceMs);
      await Promise.race([asking, late.promise]);
      clearTimeout(timer);
    }
    return host;
  }
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
    warnings: async () => ((await known())?.networkGuard === false ? [unguardedWarning] : []),
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
