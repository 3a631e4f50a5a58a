import type { Clock } from '../../ports/clock.ts';
import type { PullCredentials } from '../../ports/instance-identity.ts';
import type { PreparedImage, RuntimeDriver } from '../../ports/runtime-driver.ts';
import type { ActivationTarget } from '../activation.ts';
import type { InstanceObserver } from '../instance.ts';
import { findMachine, type MachineTypes } from '../machine-types.ts';

export type PrepareImage = (
  target: ActivationTarget,
  signal: AbortSignal,
) => Promise<PreparedImage>;

/** Has images pulled and unpacked where they will run, with credentials for that pull alone. */
export function createPrepareImage(deps: {
  driver: Pick<RuntimeDriver, 'prepare'>;
  pullCredentials: PullCredentials;
  observer: Pick<InstanceObserver, 'pulled'>;
  machines: MachineTypes;
  clock: Clock;
}): PrepareImage {
  return async (target, signal) => {
    const { repository, repositoryId, digest, settings } = target.service;
    const { teamId } = target;
    const pull = { teamId, repositoryId, repository, digest };
    const credentials = await deps.pullCredentials.mint(pull);
    const from = deps.clock.now();
    const prepared = await deps.driver.prepare({ repository, digest, credentials }, { signal });
    const to = deps.clock.now();
    const found = findMachine(deps.machines, settings.machineType);
    const memory = 'machine' in found ? found.machine.memory : 0;
    const { cached } = prepared;
    deps.observer.pulled({ target, instanceId: undefined, memory, from, to, cached });
    return prepared;
  };
}
