import { refuse } from '../oci/errors.ts';
import type { Projects } from '../ports/projects.ts';
import type { RuntimeDriver } from '../ports/runtime-driver.ts';
import { type CheckDeps, checkService } from '../scheduler/deployments/checks.ts';
import { pause, systemTimers } from '../scheduler/timers.ts';
import type { SandboxDeps } from './sandbox-deps.ts';

const askEveryMs = 500;

/** The checks of a deploy: sizes by plan and machine, layers that are what they say. Waits until they are measured. */
export function createImageCheck(
  deps: CheckDeps & {
    readonly driver: Pick<RuntimeDriver, 'capabilities'>;
    readonly projects: Pick<Projects, 'findByIds'>;
  },
): NonNullable<SandboxDeps['checkImage']> {
  return async ({ projectId, spec }, signal) => {
    const { repository, repositoryId, digest, machineType } = spec;
    const [project] = await deps.projects.findByIds([projectId]);
    if (!project) throw refuse('not-found', 'There is no such project.');
    const service = {
      ...{ serviceId: '', name: 'sandbox', repository, repositoryId, digest },
      settings: { machineType },
    };
    for (;;) {
      const host = await deps.driver.capabilities();
      if ((await checkService(deps, { project, service, host })) === 'ready') return;
      await pause(systemTimers, askEveryMs, signal);
      signal.throwIfAborted();
    }
  };
}
