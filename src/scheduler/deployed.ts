import { LRUCache } from 'lru-cache';
import type { Deployment, Deployments, Services } from '../ports/functions.ts';
import type { Project, Projects } from '../ports/projects.ts';
import type { EgressRule } from '../ports/runtime-driver.ts';
import type { ActivationTarget } from './activation.ts';
import type { DeployedTargets } from './pool/pool-deps.ts';
import { functionsOn } from './reserve.ts';
import { targetsOf } from './target.ts';

/** Deployments read in one turn of the event loop. */
const turn = 50;

/**
 * What should run, as the database says. `address`: the functions domain as clients reach it. Snapshots of what is
 * ready never change, so `live` reads each once; `find` always asks whether it still is.
 */
export function createDeployed(deps: {
  deployments: Pick<Deployments, 'pointers' | 'findById'>;
  services: Pick<Services, 'list'>;
  projects: Pick<Projects, 'findByIds'>;
  address: () => string;
}): DeployedTargets {
  const snapshots = new LRUCache<string, Deployment>({ max: 10_000 });

  const ready = async (id: string): Promise<Deployment | undefined> => {
    const deployment = await deps.deployments.findById(id);
    if (deployment?.state === 'ready') snapshots.set(id, deployment);
    else snapshots.delete(id);
    return deployment?.state === 'ready' ? deployment : undefined;
  };
  const paused = async (projectId: string): Promise<ReadonlySet<string>> => {
    const services = await deps.services.list(projectId);
    return new Set(services.filter((one) => one.paused).map(({ name }) => name));
  };
  const targets = (deployment: Deployment, project: Project): readonly ActivationTarget[] => [
    ...targetsOf(deployment, project, deps.address()).values(),
  ];

  return {
    async live() {
      const byProject = new Map<string, Deployment[]>();
      let read = 0;
      for (const { deploymentId } of await deps.deployments.pointers()) {
        if (deploymentId === undefined) continue;
        const known = snapshots.get(deploymentId);
        if (!known && ++read % turn === 0) await new Promise((resolve) => setImmediate(resolve));
        const deployment = known ?? (await ready(deploymentId));
        if (!deployment) continue;
        const others = byProject.get(deployment.projectId);
        if (others) others.push(deployment);
        else byProject.set(deployment.projectId, [deployment]);
      }
      const live: ActivationTarget[] = [];
      for (const project of await deps.projects.findByIds([...byProject.keys()])) {
        if (!functionsOn(project)) continue;
        const all = byProject.get(project.id)!.flatMap((one) => targets(one, project));
        // Asked only where it decides something: whether a least number is kept running.
        const keeps = all.some(({ service }) => (service.settings.minInstances ?? 0) > 0);
        const off = keeps ? await paused(project.id) : new Set<string>();
        live.push(...all.filter(({ service }) => !off.has(service.name)));
      }
      return live;
    },
    async find(deploymentId, service) {
      const deployment = await ready(deploymentId);
      if (!deployment) return undefined;
      const [project] = await deps.projects.findByIds([deployment.projectId]);
      if (!project || !functionsOn(project)) return undefined;
      const target = targets(deployment, project).find((one) => one.service.name === service);
      return target && !(await paused(project.id)).has(service) ? target : undefined;
    },
  };
}

/** Where instances of a project may connect to, as its operators have set it. */
export function createEgress(deps: { projects: Pick<Projects, 'findByIds'> }) {
  return async ({ projectId }: ActivationTarget): Promise<EgressRule> => {
    const [project] = await deps.projects.findByIds([projectId]);
    return project?.settings.functions?.network ?? 'public';
  };
}
