import type { Projects } from '../ports/projects.ts';
import type { SandboxDeps } from './sandbox-deps.ts';
import { SandboxHosts } from './sandbox-hosts.ts';
import { SandboxManager } from './sandbox-manager.ts';

export interface OpenSandboxes {
  readonly manager: SandboxManager;
  /** For the gateway: `target` before it looks for functions, `activator` around the pool. */
  readonly hosts: SandboxHosts;
  close(): Promise<void>;
}

/** Takes over what an earlier process left, and ends what is over. */
export async function openSandboxes(
  deps: Omit<SandboxDeps, 'ended'> & {
    readonly projects: Pick<Projects, 'findByIds'>;
    /** The functions domain as clients reach it: with its port where they need one. Asked each time. */
    readonly address: () => string;
    /** A label of the installation. */
    readonly region: string;
  },
): Promise<OpenSandboxes> {
  const manager = new SandboxManager({
    ...deps,
    ended: (id) => {
      void hosts.ended(id).catch(() => {});
    },
  });
  const hosts = new SandboxHosts({ ...deps, instanceOf: (id) => manager.instanceOf(id) });
  await manager.look();
  return {
    manager,
    hosts,
    async close() {
      await manager.close();
      await hosts.close();
    },
  };
}
