import { LRUCache } from 'lru-cache';
import type { Deployment, Deployments, Services } from '../../ports/functions.ts';
import type { Project, Projects } from '../../ports/projects.ts';
import type { ActivationTarget } from '../activation.ts';
import { targetsOf } from '../target.ts';
import type { DeployedTargets } from './pool-deps.ts';

export interface DeployedTargetsDeps {
  readonly deployments: Pick<Deployments, 'findById' | 'pointers'>;
  readonly services: Pick<Services, 'list'>;
  readonly projects: Pick<Projects, 'findByIds'>;
  /** The functions domain, with its port where clients need one. */
  readonly address: string;
}

/** Deployments read in one turn of the event loop. */
const turn = 50;

/** What should run, as the database has it. Snapshots never change, so each is read once. */
export class StoredTargets implements DeployedTargets {
  readonly #deps: DeployedTargetsDeps;
  readonly #snapshots = new LRUCache<string, Deployment>({ max: 10_000 });

  constructor(deps: DeployedTargetsDeps) {
    this.#deps = deps;
  }

  async live(): Promise<readonly ActivationTarget[]> {
    const byProject = new Map<string, Deployment[]>();
    let read = 0;
    for (const { deploymentId } of await this.#deps.deployments.pointers()) {
      if (deploymentId === undefined) continue;
      let deployment = this.#snapshots.get(deploymentId);
      if (!deployment) {
        deployment = await this.#ready(deploymentId);
        if (++read % turn === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      if (!deployment) continue;
      const { projectId } = deployment;
      byProject.set(projectId, [...(byProject.get(projectId) ?? []), deployment]);
    }
    const live: ActivationTarget[] = [];
    for (const project of await this.#deps.projects.findByIds([...byProject.keys()])) {
      if (!hasFunctions(project)) continue;
      const targets = byProject
        .get(project.id)!
        .flatMap((deployment) => [...this.#targets(deployment, project).values()]);
      const paused = await this.#paused(project.id, targets);
      live.push(...targets.filter(({ service }) => !paused.has(service.name)));
    }
    return live;
  }

  async find(deploymentId: string, service: string): Promise<ActivationTarget | undefined> {
    // Its state, unlike its snapshot, changes.
    const deployment = await this.#ready(deploymentId);
    if (!deployment) return undefined;
    const [project] = await this.#deps.projects.findByIds([deployment.projectId]);
    if (!project || !hasFunctions(project)) return undefined;
    const target = this.#targets(deployment, project).get(service);
    const all = await this.#deps.services.list(project.id);
    return all.some(({ name, paused }) => paused && name === service) ? undefined : target;
  }

  async #ready(deploymentId: string): Promise<Deployment | undefined> {
    const deployment = await this.#deps.deployments.findById(deploymentId);
    if (deployment?.state !== 'ready') {
      this.#snapshots.delete(deploymentId);
      return undefined;
    }
    this.#snapshots.set(deploymentId, deployment);
    return deployment;
  }

  /** Asked only where it decides something: whether a least number is kept running. */
  async #paused(
    projectId: string,
    targets: readonly ActivationTarget[],
  ): Promise<ReadonlySet<string>> {
    if (!targets.some(({ service }) => (service.settings.minInstances ?? 0) > 0)) return new Set();
    const all = await this.#deps.services.list(projectId);
    return new Set(all.filter(({ paused }) => paused).map(({ name }) => name));
  }

  #targets(deployment: Deployment, project: Project): ReadonlyMap<string, ActivationTarget> {
    return targetsOf(deployment, project, this.#deps.address);
  }
}

function hasFunctions({ teamFunctions, settings }: Project): boolean {
  return teamFunctions !== false && settings.functions?.enabled !== false;
}
