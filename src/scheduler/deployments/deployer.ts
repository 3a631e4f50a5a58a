import { describe, RegistryError } from '../../oci/errors.ts';
import type { Deployment, DeploymentState } from '../../ports/functions.ts';
import { DeploymentRun, EngineAway, NotMeasured } from './deploy.ts';
import type { DeployDeps } from './deploy-deps.ts';
import { isSettled } from './deployment-watch.ts';
import { DeployRefusal, engineAway, internalFailure } from './reasons.ts';

const coming: readonly DeploymentState[] = ['queued', 'pending', 'preparing', 'probing'];
const made: readonly DeploymentState[] = ['queued', 'pending'];
/** Known at once; more wait in the database. */
const most = 200;
/** Of one project, so that others are not kept waiting by it. */
const parallelOfProject = 3;
const defaultParallel = 8;

const measureWait = { firstMs: 250, capMs: 2_000 };
const engineWait = { firstMs: 1_000, capMs: 15_000 };
/** About ten minutes. */
const engineAttempts = 45;
const otherAttempts = 4;

/**
 * Takes deployments on that pushes and calls made, and brings each to its end: `ready`, `failed` or `superseded`.
 * All that it knows is in the database: after a crash it begins where that says, and each step can be done twice.
 */
export class Deployer {
  readonly #deps: DeployDeps;
  readonly #ended = new AbortController();
  readonly #known = new Map<string, Promise<void>>();
  readonly #projects = new Map<string, number>();
  readonly #turns = new Map<string, Promise<unknown>>();
  #running = 0;
  readonly #waiting: { projectId: string; go: () => void }[] = [];
  #pending = false;
  #reading: Promise<void> | undefined;

  constructor(deps: DeployDeps) {
    this.#deps = deps;
  }

  /** Takes on what an earlier process left, then whatever comes. */
  start(): void {
    this.#deps.onCommit(() => this.wake());
    this.#read(coming);
  }

  /** There may be new ones. */
  wake(): void {
    if (this.#pending || this.#ended.signal.aborted || this.#known.size >= most) return;
    this.#pending = true;
    setImmediate(() => {
      this.#pending = false;
      this.#read(made);
    });
  }

  /** Once no deployment is worked on any more. For tests. */
  async idle(): Promise<void> {
    await this.#reading;
    while (this.#pending || this.#known.size > 0) {
      await Promise.all(this.#known.values());
      await new Promise((resolve) => setImmediate(resolve));
      await this.#reading;
    }
  }

  /** Gives up what is under way; it is taken on again at the next start. */
  async close(): Promise<void> {
    this.#ended.abort();
    for (const { go } of this.#waiting.splice(0)) go();
    await this.#reading;
    await Promise.all(this.#known.values());
  }

  #read(states: readonly DeploymentState[]): void {
    if (this.#ended.signal.aborted) return;
    const before = this.#reading ?? Promise.resolve();
    this.#reading = before
      .then(async () => {
        for (const deployment of await this.#deps.deployments.inStates(states, most)) {
          this.#take(deployment);
        }
      })
      .catch((error: unknown) => {
        this.#deps.log.error('deployments could not be read', { cause: describe(error) });
      });
  }

  #take({ id, projectId }: Deployment): void {
    if (this.#known.has(id) || this.#ended.signal.aborted) return;
    const work = this.#work(id, projectId).finally(() => {
      this.#known.delete(id);
      // There may be more than were known at once.
      if (this.#known.size === most - 1) this.wake();
    });
    this.#known.set(id, work);
  }

  async #work(id: string, projectId: string): Promise<void> {
    const { signal } = this.#ended;
    let away = 0;
    let failures = 0;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.#slot(projectId, () => this.#attempt(id));
        return;
      } catch (error) {
        if (signal.aborted) return;
        const refusal = refusalOf(error, { away, failures });
        if (refusal) return await this.#fail(id, refusal);
        if (error instanceof NotMeasured) await this.#pause(measureWait, attempt);
        else if (error instanceof EngineAway) await this.#pause(engineWait, away++);
        else await this.#pause(engineWait, failures++);
      }
    }
  }

  async #attempt(id: string): Promise<void> {
    const deployment = await this.#deps.deployments.findById(id);
    if (!deployment || isSettled(deployment) || this.#ended.signal.aborted) return;
    const { signal } = this.#ended;
    const run = new DeploymentRun(this.#deps, deployment, signal, (project, work) =>
      this.#inTurn(project, work),
    );
    await run.run();
  }

  async #fail(id: string, refusal: DeployRefusal): Promise<void> {
    const { writer, clock, log } = this.#deps;
    const { reason } = refusal;
    if (reason.code === 'DEPLOYMENT_FAILED') {
      log.error('deployment failed', { deployment: id, cause: describe(refusal.cause) });
    }
    const args = { id, from: coming, state: 'failed', reason, now: clock.now() } as const;
    try {
      await writer.run('SetDeploymentState', args);
    } catch (error) {
      // It is taken up again at the next start.
      log.error('deployment could not be ended', { deployment: id, cause: describe(error) });
    }
    this.#deps.changed({ activated: undefined, replaced: id });
  }

  #pause({ firstMs, capMs }: { firstMs: number; capMs: number }, attempt: number): Promise<void> {
    const ms = Math.min(capMs, firstMs * 2 ** Math.min(attempt, 20));
    return this.#deps.pause(ms, this.#ended.signal);
  }

  /** In one of few places for all, and of fewer for each project. */
  async #slot(projectId: string, work: () => Promise<void>): Promise<void> {
    if (!this.#free(projectId)) {
      await new Promise<void>((go) => this.#waiting.push({ projectId, go }));
    } else {
      this.#enter(projectId);
    }
    try {
      await work();
    } finally {
      this.#leave(projectId);
    }
  }

  #free(projectId: string): boolean {
    const { parallel = defaultParallel } = this.#deps;
    return this.#running < parallel && (this.#projects.get(projectId) ?? 0) < parallelOfProject;
  }

  #enter(projectId: string): void {
    this.#running++;
    this.#projects.set(projectId, (this.#projects.get(projectId) ?? 0) + 1);
  }

  #leave(projectId: string): void {
    this.#running--;
    const left = (this.#projects.get(projectId) ?? 1) - 1;
    if (left > 0) this.#projects.set(projectId, left);
    else this.#projects.delete(projectId);
    const next = this.#waiting.findIndex((waiter) => this.#free(waiter.projectId));
    const [waiter] = next < 0 ? [] : this.#waiting.splice(next, 1);
    if (!waiter) return;
    this.#enter(waiter.projectId);
    waiter.go();
  }

  /** One after another for each project. */
  #inTurn<T>(projectId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(projectId) ?? Promise.resolve();
    const own = before.then(work, work);
    const settled = own.then(
      () => {},
      () => {},
    );
    this.#turns.set(projectId, settled);
    void settled.then(() => {
      if (this.#turns.get(projectId) === settled) this.#turns.delete(projectId);
    });
    return own;
  }
}

/** Why the deployment fails; undefined: it is tried again. */
function refusalOf(
  error: unknown,
  tried: { away: number; failures: number },
): DeployRefusal | undefined {
  if (error instanceof DeployRefusal) return error;
  if (error instanceof NotMeasured) return undefined;
  if (error instanceof EngineAway) {
    return tried.away >= engineAttempts ? engineAway(error.message) : undefined;
  }
  if (error instanceof RegistryError && error.kind !== 'unavailable') {
    const { kind, message, hint = 'Deploy it again.' } = error.info;
    if (kind !== 'internal') return new DeployRefusal(kind, message, hint, { cause: error });
  }
  return tried.failures >= otherAttempts ? internalFailure(error) : undefined;
}
