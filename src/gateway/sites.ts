import { LRUCache } from 'lru-cache';
import type { Awaitable } from '../ports/awaitable.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  Deployment,
  DeploymentState,
  Deployments,
  FunctionEnvironment,
  Services,
} from '../ports/functions.ts';
import type { Projects } from '../ports/projects.ts';
import type { ActivationTarget } from '../scheduler/activation.ts';
import { statusOfFailure } from '../scheduler/refusal-codes.ts';
import { RewriteTable } from '../scheduler/rewrites.ts';
import { targetsOf } from '../scheduler/target.ts';
import { GatewayError, nothingHere } from './refusal.ts';

/** What answers under a name. */
export interface Site {
  /** By the service's name. */
  readonly targets: ReadonlyMap<string, ActivationTarget>;
  /** Undefined: there are none, and `service` takes all. */
  readonly rewrites: RewriteTable | undefined;
  readonly service: string | undefined;
  readonly paused: ReadonlySet<string>;
  /** Undefined: one deployment alone, whatever becomes of its environment. */
  readonly environment: Extract<Destination, { environment: unknown }> | undefined;
}

/** Where a name leads. */
export type Destination =
  | { readonly projectId: string; readonly deploymentId: string }
  | {
      readonly projectId: string;
      readonly environment: FunctionEnvironment;
      readonly name: string;
    };

export interface SitesDeps {
  readonly deployments: Pick<
    Deployments,
    'findHost' | 'findById' | 'pointer' | 'page' | 'latestOf'
  >;
  readonly services: Pick<Services, 'list'>;
  readonly projects: Pick<Projects, 'findByIds' | 'findBySlugs'>;
  /** Resolves once the deployment is in no state on its way any more. Rejects with the signal's reason. */
  waitReady(deploymentId: string, signal: AbortSignal): Promise<unknown>;
  readonly clock: Clock;
  /** The functions domain, with its port where clients need one. */
  readonly address: () => string;
  /** Milliseconds that a request waits for a deployment. */
  readonly waitMs: number;
}

const underWay: readonly DeploymentState[] = ['queued', 'pending', 'preparing', 'probing'];

/** Milliseconds after which the database is asked again. */
const freshMs = 500;
const mostSites = 2_000;
const mostTables = 1_000;
/** Requests that wait for one deployment. */
const mostWaiting = 1_000;
/** How far back the deployment is looked for that a pointer waits for. */
const lookBack = 50;
/** Deployments in a row that one request waits for. */
const mostWaits = 100;

interface Entry {
  readonly site: Site;
  readonly at: number;
}

/** Finds what answers under a name, and waits where that is still on its way. */
export class Sites {
  readonly #deps: SitesDeps;
  readonly #sites = new LRUCache<string, Entry>({ max: mostSites });
  #changes = 0;
  readonly #tables = new LRUCache<string, RewriteTable>({ max: mostTables });
  readonly #waiting = new Map<string, number>();

  constructor(deps: SitesDeps) {
    this.#deps = deps;
  }

  /** Something was deployed, moved, paused or renamed: all is asked anew. */
  changed(): void {
    this.#changes++;
    this.#sites.clear();
  }

  /** What is known under the key, where it was asked for lately. */
  known(key: string): Site | undefined {
    const entry = this.#sites.get(key);
    return entry && Math.abs(this.#deps.clock.now() - entry.at) < freshMs ? entry.site : undefined;
  }

  /** Rejects with `GatewayError`; with the signal's reason where the client is gone. */
  async find(
    key: string,
    lookUp: () => Awaitable<{ to: Destination; service: string | undefined } | undefined>,
    signal: AbortSignal,
  ): Promise<Site> {
    let late: AbortSignal | undefined;
    for (let waits = 0; waits < mostWaits; waits++) {
      const at = this.#deps.clock.now();
      const changes = this.#changes;
      const found = await lookUp();
      if (!found) throw nothingHere();
      const deployment = await this.#deploymentOf(found.to);
      if (deployment.state === 'ready') {
        const site = await this.#siteOf(deployment, found);
        // What was read before a change is of use to this request alone.
        if (changes === this.#changes) this.#sites.set(key, { site, at });
        return site;
      }
      late ??= AbortSignal.timeout(this.#deps.waitMs);
      await this.#wait(deployment.id, signal, late);
    }
    throw notReady('and others came before it');
  }

  /**
   * Of a service that the site under the key does not run: rejects with why not; resolves where a deployment of it
   * came meanwhile, for which it waits.
   */
  async missing(
    { key, environment: place }: { key: string; environment: Site['environment'] },
    service: string,
    signal: AbortSignal,
  ): Promise<void> {
    if (!place) throw nothingHere();
    const { deployments, services } = this.#deps;
    const known = (await services.list(place.projectId)).find(({ name }) => name === service);
    if (!known) throw nothingHere();
    const late = AbortSignal.timeout(this.#deps.waitMs);
    for (let waits = 0; waits < mostWaits; waits++) {
      const latest = await deployments.latestOf({ ...place, serviceId: known.id });
      if (latest?.state === 'superseded') throw nothingHere();
      const { id, state } = usable(latest);
      if (state === 'ready') {
        this.#sites.delete(key);
        return;
      }
      await this.#wait(id, signal, late);
    }
  }

  /** One that is ready or on its way. */
  async #deploymentOf(to: Destination): Promise<Deployment> {
    const { deployments } = this.#deps;
    if ('deploymentId' in to) {
      const deployment = await deployments.findById(to.deploymentId);
      return usable(deployment?.projectId === to.projectId ? deployment : undefined);
    }
    const pointer = await deployments.pointer(to.projectId, to.environment, to.name);
    if (pointer?.deploymentId) return usable(await deployments.findById(pointer.deploymentId));
    const scope = { projectId: to.projectId, environment: to.environment };
    const page = await deployments.page(scope, undefined, lookBack);
    const newest = page.find(({ name }) => name === to.name);
    if (newest?.state !== 'ready') return usable(newest);
    // It became ready between the two reads, or its pointer was emptied by hand.
    const now = await deployments.pointer(to.projectId, to.environment, to.name);
    return usable(now?.deploymentId ? await deployments.findById(now.deploymentId) : undefined);
  }

  async #siteOf(
    deployment: Deployment,
    { to, service }: { to: Destination; service: string | undefined },
  ): Promise<Site> {
    const [project] = await this.#deps.projects.findByIds([deployment.projectId]);
    if (!project) throw nothingHere();
    const targets = targetsOf(deployment, project, this.#deps.address());
    const paused = (await this.#deps.services.list(project.id)).filter((one) => one.paused);
    const rewrites = this.#rewritesOf(deployment);
    const only = targets.size === 1 ? [...targets.keys()][0] : undefined;
    return {
      targets,
      rewrites,
      // A project with rewrites exposes only what they name, under whichever name it is asked.
      service: rewrites ? only : (service ?? only),
      paused: new Set(paused.map(({ name }) => name)),
      environment: 'environment' in to ? to : undefined,
    };
  }

  /** A deployment never changes, and patterns take a while to make. */
  #rewritesOf({ id, snapshot }: Deployment): RewriteTable | undefined {
    if (!snapshot || snapshot.rewrites.length === 0) return undefined;
    const table = this.#tables.get(id) ?? new RewriteTable(snapshot.rewrites);
    this.#tables.set(id, table);
    return table;
  }

  async #wait(deploymentId: string, signal: AbortSignal, late: AbortSignal): Promise<void> {
    const waiting = this.#waiting.get(deploymentId) ?? 0;
    if (waiting >= mostWaiting) throw notReady('and too many requests wait for it');
    this.#waiting.set(deploymentId, waiting + 1);
    try {
      await this.#deps.waitReady(deploymentId, AbortSignal.any([signal, late]));
    } catch (error) {
      if (late.aborted && !signal.aborted) throw notReady('and this request waited long enough');
      throw error;
    } finally {
      const left = this.#waiting.get(deploymentId)! - 1;
      if (left > 0) this.#waiting.set(deploymentId, left);
      else this.#waiting.delete(deploymentId);
    }
  }
}

function usable(deployment: Deployment | undefined): Deployment {
  if (!deployment || deployment.state === 'deleted') throw nothingHere();
  if (deployment.state === 'ready' || underWay.includes(deployment.state)) return deployment;
  if (deployment.state === 'superseded') {
    throw new GatewayError(
      410,
      'DEPLOYMENT_SUPERSEDED',
      'This deployment never took requests: a later one was ready before it.',
      'Use the address of the environment, or of a later deployment.',
    );
  }
  const { reason } = deployment;
  throw new GatewayError(
    reason ? statusOfFailure(reason.code) : 503,
    reason?.code ?? 'DEPLOYMENT_FAILED',
    reason?.message ?? 'The deployment failed.',
    reason?.hint ?? 'Push again, or look at the deployment.',
    reason?.code === 'FunctionNotStarted'
      ? { body: JSON.stringify({ ErrorCode: reason.code, ErrorMessage: reason.message }) }
      : {},
  );
}

function notReady(why: string): GatewayError {
  return new GatewayError(
    503,
    'DEPLOYMENT_NOT_READY',
    `The deployment is still on its way, ${why}.`,
    'Try again in a moment; the deployment shows how far it is.',
    { retryAfterSeconds: 5 },
  );
}
