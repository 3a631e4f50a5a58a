import { randomBytes } from 'node:crypto';
import { type Dispatcher, Pool } from 'undici';
import type { Projects } from '../ports/projects.ts';
import type { RuntimeInstance } from '../ports/runtime-driver.ts';
import type { Sandbox, Sandboxes } from '../ports/sandboxes.ts';
import { ActivationError, type ActivationTarget, type Activator } from '../scheduler/activation.ts';
import { contractOf } from '../scheduler/contracts/contracts.ts';

const labelPattern = /^sbx-[a-z2-7]{26}$/;
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
/** Connections to one port. */
const connections = 64;

/** Of a port's name under the functions domain. Nobody guesses it, and who has it may connect. */
export function newLabel(): string {
  return `sbx-${[...randomBytes(26)].map((byte) => alphabet[byte & 31]).join('')}`;
}

export interface SandboxHostsDeps {
  readonly sandboxes: Pick<Sandboxes, 'open'>;
  readonly instanceOf: (sandboxId: string) => RuntimeInstance | undefined;
  readonly projects: Pick<Projects, 'findByIds'>;
  /** The functions domain as clients reach it. */
  readonly address: () => string;
  /** A label of the installation. */
  readonly region: string;
}

/**
 * The way from names under the functions domain to ports of sandboxes, for the gateway: it asks `target` for labels
 * before it asks for functions, and `acquire` as it does for them.
 */
export class SandboxHosts {
  readonly #deps: SandboxHostsDeps;
  readonly #pools = new Map<string, Dispatcher>();

  constructor(deps: SandboxHostsDeps) {
    this.#deps = deps;
  }

  /** Undefined: the label is none of a sandbox that is there. */
  async target(label: string): Promise<ActivationTarget | undefined> {
    if (!labelPattern.test(label)) return undefined;
    const found = await this.#find((one) => one.spec.ports.some((port) => port.label === label));
    if (!found) return undefined;
    const [project] = await this.#deps.projects.findByIds([found.projectId]);
    if (!project) return undefined;
    const { port } = found.spec.ports.find((one) => one.label === label)!;
    const { repository, repositoryId, digest } = found.spec;
    return {
      ...{ deploymentId: found.id, teamId: project.teamId, teamSlug: project.teamSlug },
      ...{ projectId: project.id, projectSlug: project.slug, environment: 'preview' },
      host: `${label}.${this.#deps.address()}`,
      service: {
        ...{ serviceId: found.id, name: 'sandbox', repository, repositoryId, digest },
        settings: { contract: 'cloud-run', port },
      },
    };
  }

  /** Leads requests of sandboxes to them, and all others on. */
  activator(functions: Activator): Activator {
    return {
      acquire: (target, request) =>
        target.deploymentId.startsWith('sbx_')
          ? this.#acquire(target)
          : functions.acquire(target, request),
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#pools.clear();
  }

  /** A sandbox has ended: connections to it are no use. */
  async ended(sandboxId: string): Promise<void> {
    for (const [key, pool] of this.#pools) {
      if (!key.startsWith(`${sandboxId} `)) continue;
      this.#pools.delete(key);
      await pool.destroy();
    }
  }

  async #acquire(target: ActivationTarget): ReturnType<Activator['acquire']> {
    const id = target.deploymentId;
    const address = this.#deps.instanceOf(id)?.address;
    const port = target.service.settings.port!;
    if (address === undefined) {
      throw new ActivationError({
        ...{ status: 503, code: 'SANDBOX_NOT_RUNNING', message: 'The sandbox does not run.' },
        hint: 'It is being started, or it has just ended.',
        retryAfterSeconds: 2,
      });
    }
    const origin = `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
    const key = `${id} ${origin}`;
    const dispatcher = this.#pools.get(key) ?? new Pool(origin, { connections });
    this.#pools.set(key, dispatcher);
    const { teamId, teamSlug, projectId, projectSlug, environment, host, service } = target;
    return {
      ...{ instanceId: id, origin, address, port, dispatcher },
      contract: contractOf(service.settings),
      place: {
        ...{ service, teamId, teamSlug, projectId, projectSlug, deploymentId: id, environment },
        ...{ host, instanceId: id, region: this.#deps.region, memory: 0, port },
      },
      // A sandbox has no identity.
      credentials: { oidcToken: '', accessKeyId: '', accessKeySecret: '', securityToken: '' },
      queuedMs: 0,
      start: undefined,
      release: () => {},
    };
  }

  async #find(is: (sandbox: Sandbox) => boolean): Promise<Sandbox | undefined> {
    return (await this.#deps.sandboxes.open()).find(is);
  }
}
