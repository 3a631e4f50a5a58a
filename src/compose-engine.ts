/** What runs functions and sandboxes on an engine: compose-functions.ts alone loads it, where one is there. */
import { join } from 'node:path';
import type { FunctionsDeps } from './compose-functions.ts';
import { functionLimits } from './config/function-limits.ts';
import { describe } from './oci/errors.ts';
import type { DeployedService } from './ports/functions.ts';
import type { RuntimeDriver } from './ports/runtime-driver.ts';
import { newId } from './projects/ids.ts';
import { createImageCheck } from './sandboxes/check-image.ts';
import { type OpenSandboxes, openSandboxes } from './sandboxes/open-sandboxes.ts';
import { createEgress } from './scheduler/deployed.ts';
import { Deployer } from './scheduler/deployments/deployer.ts';
import { createPoolProber } from './scheduler/deployments/pool-prober.ts';
import { createPrepareImage } from './scheduler/deployments/prepare-image.ts';
import { Environments } from './scheduler/environment.ts';
import type { InstanceObserver, MachineType } from './scheduler/instance.ts';
import type { MachineTypes } from './scheduler/machine-types.ts';
import { createFunctionPool, type FunctionPool } from './scheduler/pool/function-pool.ts';
import { type PoolDeps, poolSettings } from './scheduler/pool/pool-deps.ts';
import { pause, systemTimers } from './scheduler/timers.ts';
import { TokenFiles } from './scheduler/token-files.ts';
import { VolumeKeeper } from './scheduler/volume-keeper.ts';

export interface EngineDeps extends FunctionsDeps {
  readonly driver: RuntimeDriver;
  /** What keeps the data of one Gantry apart on an engine that several use. */
  readonly installation: string;
  readonly machines: MachineTypes;
  readonly machineOf: (service: DeployedService) => MachineType | undefined;
  readonly contracts: PoolDeps['contracts'];
  readonly deployed: PoolDeps['deployed'];
  readonly observer: InstanceObserver;
  /** The functions domain as clients reach it. */
  readonly address: () => string;
  /** A name leads elsewhere. */
  readonly changed: () => void;
}

export interface EngineParts {
  readonly pool: FunctionPool;
  readonly deployer: Deployer;
  readonly volumes: VolumeKeeper;
  readonly sandboxes: OpenSandboxes;
  readonly tokenFiles: TokenFiles;
}

export async function openEngine(
  deps: EngineDeps,
  opened: (() => Promise<unknown> | unknown)[],
): Promise<EngineParts> {
  const { config, metadata, clock, logger, plans, credentials } = deps;
  const { driver, machines, contracts, observer, installation, address } = deps;
  const { region } = config.functions;
  const machineOf = { of: deps.machineOf };
  const tokenFiles = await TokenFiles.open({
    ...{ folder: join(config.data, 'run'), identities: credentials, clock, log: logger },
  });
  opened.push(() => tokenFiles.close());
  const environment = new Environments({
    ...{ ...metadata, contracts, files: tokenFiles, region },
    open: (sealed, context) => deps.sealer.unseal(sealed, context),
    ...{ machines: machineOf, runtimeVolumes: driver.volumes },
  });
  const volumes = new VolumeKeeper({ ...metadata, clock, runtime: driver.volumes, log: logger });
  opened.push(() => volumes.close());
  const pool = createFunctionPool({
    ...{ driver, clock, timers: systemTimers, environment, contracts, observer, installation },
    ...{ pullCredentials: credentials, identities: credentials, log: logger, region },
    ...{ deployed: deps.deployed, machines: machineOf },
    newInstanceId: () => newId('ins'),
    ...{ settings: poolSettings(config.functions), egressOf: createEgress(metadata) },
  });
  const checks = { ...metadata, plans, machines, measuring: config.measure, driver };
  const sandboxes = await openSandboxes({
    ...{ ...metadata, driver, clock, log: logger, machines, installation, address, region },
    pullCredentials: credentials,
    newId: () => newId('sbx'),
    folder: join(config.data, 'tools'),
    limits: functionLimits.sandbox,
    checkImage: createImageCheck(checks),
  });
  opened.push(() => sandboxes.close());
  const deployer = new Deployer({
    ...{ ...metadata, clock, log: logger, plans, machines },
    onCommit: (listener) => metadata.onCommit(listener),
    ...{ measuring: config.measure, capabilities: () => driver.capabilities(), address },
    prepare: createPrepareImage({
      driver,
      pullCredentials: credentials,
      observer,
      machines,
      clock,
    }),
    prober: createPoolProber(pool),
    changed: ({ replaced }) => {
      deps.changed();
      if (replaced) pool.retire(replaced);
      pool.pointersMoved().catch((error: unknown) => {
        logger.warn('what runs could not be compared', { cause: describe(error) });
      });
    },
    pause: (ms, signal) => pause(systemTimers, ms, signal),
  });
  return { pool, deployer, volumes, sandboxes, tokenFiles };
}
