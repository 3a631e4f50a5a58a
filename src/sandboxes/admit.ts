import { refuse } from '../oci/errors.ts';
import type { MachineType } from '../scheduler/instance.ts';
import { availableMachines, findMachine, whyNotMachine } from '../scheduler/machine-types.ts';
import { toRefusal } from './refusals.ts';
import type { NewSandbox, SandboxDeps } from './sandbox-deps.ts';

/** The machine of a sandbox that may be made here. Rejects with `invalid`, `denied` or `unavailable`, and why. */
export async function admit(
  { driver, machines }: Pick<SandboxDeps, 'driver' | 'machines'>,
  { machineType, image, team }: NewSandbox,
): Promise<MachineType> {
  const capabilities = await driver.capabilities().catch((error: unknown) => {
    throw toRefusal(error);
  });
  const found = findMachine(machines, machineType);
  const problem = 'problem' in found ? found.problem : whyNotMachine(capabilities, found.machine);
  if ('problem' in found || problem !== undefined) {
    const available = availableMachines(capabilities, machines).join(', ');
    throw refuse('invalid', problem!, `Available here: ${available}.`);
  }
  if (image.teamId !== team.id && !capabilities.networkGuard) {
    throw refuse(
      'denied',
      'Images of other teams do not run here: nothing proves that containers reach neither this host nor private networks.',
      'The operator starts the network guard; or copy the image into the project.',
    );
  }
  return found.machine;
}
