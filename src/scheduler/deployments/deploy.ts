import { formatRepositoryPath } from '../../oci/reference.ts';
import type {
  DeployedService,
  Deployment,
  DeploymentState,
  Service,
  Snapshot,
} from '../../ports/functions.ts';
import type { Project } from '../../ports/projects.ts';
import { RuntimeError } from '../../ports/runtime-driver.ts';
import { functionsOn, productionName } from '../reserve.ts';
import { targetsOf } from '../target.ts';
import { checkService } from './checks.ts';
import type { DeployDeps } from './deploy-deps.ts';
import { ProbeError } from './prober.ts';
import { DeployRefusal, functionsOff, imageGone, runtimeRefusal, serviceGone } from './reasons.ts';
import { buildSnapshot, changedServices, withContracts } from './snapshot.ts';

/** The engine cannot be had just now: the deployment waits, and is taken up again. */
export class EngineAway extends Error {}
/** Layers of the image are not measured yet. */
export class NotMeasured extends Error {}

const comingStates: readonly DeploymentState[] = ['queued', 'pending', 'preparing', 'probing'];

/** Somebody else ended it: its image was deleted, or it was itself. */
class Over extends Error {}

/** What a deployment would run now, and the pointer that it is based on. */
interface Plan {
  readonly snapshot: Snapshot;
  readonly base: Snapshot | undefined;
  readonly pointerVersion: number;
  readonly replaces: string | undefined;
  readonly project: Project;
}

/**
 * One attempt at a deployment, from the beginning, whatever an earlier one did: checked, prepared, probed and
 * activated. Throws `DeployRefusal`, `EngineAway` or `NotMeasured`.
 */
export class DeploymentRun {
  readonly #deps: DeployDeps;
  readonly #deployment: Deployment;
  readonly #signal: AbortSignal;
  #state: DeploymentState;
  /** Of images that were prepared, by digest. */
  readonly #labels = new Map<string, Readonly<Record<string, string>>>();
  /** Activations of one project follow each other: each builds on the one before. */
  readonly #inTurn: <T>(projectId: string, work: () => Promise<T>) => Promise<T>;

  constructor(
    deps: DeployDeps,
    deployment: Deployment,
    signal: AbortSignal,
    inTurn: <T>(projectId: string, work: () => Promise<T>) => Promise<T>,
  ) {
    this.#deps = deps;
    this.#deployment = deployment;
    this.#signal = signal;
    this.#state = deployment.state;
    this.#inTurn = inTurn;
  }

  async run(): Promise<void> {
    try {
      const done = new Set<string>();
      let plan: Plan | undefined = await this.#plan();
      await this.#enter('preparing');
      while (plan) {
        await this.#ready(plan, done);
        plan = await this.#inTurn(this.#deployment.projectId, () => this.#activate(done));
      }
    } catch (error) {
      if (!(error instanceof Over)) throw error;
      this.#deps.changed({ activated: undefined, replaced: this.#deployment.id });
    }
  }

  /** Services that are new to the environment, each once: checked and prepared side by side, then probed. */
  async #ready(plan: Plan, done: Set<string>): Promise<void> {
    const changed = this.#toDo(plan, done);
    const targets = this.#targets(plan);
    const paused = await this.#paused();
    await Promise.all(
      changed.map(async (service) => {
        await this.#check(plan.project, service);
        const target = targets.get(service.name)!;
        const image = await this.#engine(() => this.#deps.prepare(target, this.#signal));
        this.#labels.set(service.digest, image.config.labels);
      }),
    );
    await this.#enter('probing');
    const known = { ...plan, snapshot: withContracts(plan.snapshot, this.#labels) };
    const probed = this.#targets(known);
    for (const service of this.#toDo(known, done)) {
      const target = probed.get(service.name)!;
      if (!paused.has(service.serviceId)) {
        await this.#engine(() => this.#deps.prober.ensure(target, this.#signal));
      }
      done.add(keyOf(service));
    }
  }

  /** Undefined: it is over. Else what it would run now, where that has more to be made ready. */
  async #activate(done: Set<string>): Promise<Plan | undefined> {
    const { id } = this.#deployment;
    for (;;) {
      this.#signal.throwIfAborted();
      const plan = await this.#plan();
      if (this.#toDo(plan, done).length > 0) return plan;
      const { snapshot, pointerVersion, replaces } = plan;
      const now = this.#deps.clock.now();
      const args = { id, snapshot, pointerVersion, now };
      const { outcome } = await this.#deps.writer.run('ActivateDeployment', args);
      if (outcome === 'stale') continue;
      const ready = outcome === 'ready';
      if (ready) this.#deps.changed({ activated: id, replaced: replaces });
      else this.#deps.changed({ activated: undefined, replaced: id });
      return undefined;
    }
  }

  #toDo(plan: Plan, done: ReadonlySet<string>): readonly DeployedService[] {
    return changedServices(plan.snapshot, plan.base).filter((one) => !done.has(keyOf(one)));
  }

  async #plan(): Promise<Plan> {
    const { deployments, services, projects } = this.#deps;
    const { projectId, environment, name, origin, snapshot: made } = this.#deployment;
    const [project] = await projects.findByIds([projectId]);
    if (!project || !functionsOn(project)) throw functionsOff();
    const present = await services.list(projectId);
    const changed = await this.#changed(project, present);
    const pointer = await deployments.pointer(projectId, environment, name);
    const own = await this.#snapshotOf(pointer?.deploymentId);
    // A new preview has what production runs beside its own image; that is running there already.
    const base = own ?? (await this.#production());
    const { rewrites } = await services.rewrites(projectId);
    const facts = { origin, made, base, services: present, rewrites, changed };
    return {
      ...{ snapshot: withContracts(buildSnapshot(facts), this.#labels), project },
      base: origin.type === 'promote' ? undefined : base,
      ...{ pointerVersion: pointer?.version ?? 0, replaces: pointer?.deploymentId },
    };
  }

  async #production(): Promise<Snapshot | undefined> {
    const { projectId, environment } = this.#deployment;
    if (environment === 'production') return undefined;
    const pointer = await this.#deps.deployments.pointer(projectId, 'production', productionName);
    return this.#snapshotOf(pointer?.deploymentId);
  }

  async #snapshotOf(id: string | undefined): Promise<Snapshot | undefined> {
    return id === undefined ? undefined : (await this.#deps.deployments.findById(id))?.snapshot;
  }

  /** The image that it deploys, with its service's present settings. */
  async #changed(
    project: Project,
    services: readonly Service[],
  ): Promise<DeployedService | undefined> {
    const { origin } = this.#deployment;
    const image =
      origin.type === 'push' ? origin : origin.type === 'api' ? origin.image : undefined;
    if (!image) return undefined;
    const { serviceId, repositoryId, digest } = image;
    const service = services.find(({ id }) => id === serviceId);
    if (!service) throw serviceGone();
    const repository = await this.#deps.repositories.details(repositoryId);
    if (!repository) throw imageGone('that it was pushed to', digest);
    const path = await this.#pathOf(project, repository);
    const { name, settings } = service;
    return { serviceId, name, repositoryId, repository: path, digest, settings };
  }

  async #pathOf(own: Project, { projectId, name }: { projectId: string; name: string }) {
    const [other] = projectId === own.id ? [own] : await this.#deps.projects.findByIds([projectId]);
    const { teamSlug, slug } = other ?? own;
    return formatRepositoryPath({ team: teamSlug, project: slug, repository: name });
  }

  #targets(plan: Plan) {
    const deployment = { ...this.#deployment, snapshot: plan.snapshot };
    return targetsOf(deployment, plan.project, this.#deps.address());
  }

  async #check(project: Project, service: DeployedService): Promise<void> {
    const host = await this.#engine(() => this.#deps.capabilities());
    const state = await checkService(this.#deps, { project, service, host });
    if (state === 'measuring') throw new NotMeasured();
  }

  async #paused(): Promise<ReadonlySet<string>> {
    const services = await this.#deps.services.list(this.#deployment.projectId);
    return new Set(services.filter(({ paused }) => paused).map(({ id }) => id));
  }

  async #enter(state: 'preparing' | 'probing'): Promise<void> {
    if (this.#state === state) return;
    const { writer, clock } = this.#deps;
    const args = { id: this.#deployment.id, from: comingStates, state, now: clock.now() };
    const { changed } = await writer.run('SetDeploymentState', args);
    if (!changed) throw new Over();
    this.#state = state;
  }

  async #engine<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof RuntimeError) {
        if (error.failure === 'unavailable') throw new EngineAway(error.message, { cause: error });
        throw runtimeRefusal(error);
      }
      if (error instanceof ProbeError) {
        if (!error.reason) throw new EngineAway(error.message, { cause: error });
        const { code, message, hint, logs } = error.reason;
        throw new DeployRefusal(code, message, hint, { cause: error, logs });
      }
      throw error;
    }
  }
}

function keyOf({ serviceId, digest, settings }: DeployedService): string {
  return JSON.stringify([serviceId, digest, settings]);
}
