import type { InstanceCredentials } from '../../ports/instance-identity.ts';
import type { ActivationTarget } from '../activation.ts';
import { roleOf } from '../role.ts';
import type { PoolDeps } from './pool-deps.ts';

/** With less than this left of them requests wait for others. */
const leastMs = 30_000;

/** Credentials of a service's role, the same for all its instances, kept while they are good. */
export class ServiceCredentials {
  readonly #deps: Pick<PoolDeps, 'identities' | 'clock'>;
  readonly #target: ActivationTarget;
  /** Of what was made last, in milliseconds. In its last quarter others are made in the background. */
  #life = 0;
  #now: InstanceCredentials | undefined;
  #making: Promise<InstanceCredentials> | undefined;

  constructor(deps: Pick<PoolDeps, 'identities' | 'clock'>, target: ActivationTarget) {
    this.#deps = deps;
    this.#target = target;
  }

  /** At once where they are good still. */
  get(): InstanceCredentials | Promise<InstanceCredentials> {
    const left = this.#now ? this.#now.expiresAt - this.#deps.clock.now() : 0;
    if (this.#now && left > leastMs) {
      if (left < this.#life / 4 && !this.#making) this.#make().catch(() => {});
      return this.#now;
    }
    return this.#make();
  }

  #make(): Promise<InstanceCredentials> {
    if (this.#making) return this.#making;
    const { teamId, teamSlug, projectId, projectSlug, environment, service } = this.#target;
    const role = roleOf(this.#target);
    const place = { teamId, teamSlug, projectId, projectSlug, environment };
    this.#making = this.#deps.identities
      .issue({ ...place, service: service.name, role })
      .then((made) => {
        this.#now = made;
        this.#life = made.expiresAt - this.#deps.clock.now();
        return made;
      })
      .finally(() => {
        this.#making = undefined;
      });
    return this.#making;
  }
}
