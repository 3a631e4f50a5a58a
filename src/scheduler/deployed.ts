import type { Deployments, Services } from '../ports/functions.ts';
import type { Projects } from '../ports/projects.ts';
import type { ActivationTarget } from './activation.ts';
import type { DeployedTargets } from './pool/pool-deps.ts';
import { functionsOn } from './reserve.ts';
import { targetsOf } from './target.ts';

/** What should run, as the database says. `address`: the functions domain as clients reach it. */
export function createDeployed(deps: {
  deployments: Pick<Deployments, 'pointers' | 'findById'>;
  services: Pick<Services, 'list'>;
  projects: Pick<Projects, 'findByIds'>;
  address: () => string;
}): DeployedTargets {
  const ofDeployment = async (id: string): Promise<readonly ActivationTarget[]> => {
    const deployment = await deps.deployments.findById(id);
    if (deployment?.state !== 'ready') return [];
    const [project] = await deps.projects.findByIds([deployment.projectId]);
    if (!project || !functionsOn(project)) return [];
    const services = await deps.services.list(project.id);
    const paused = new Set(services.filter((one) => one.paused).map(({ name }) => name));
    const targets = targetsOf(deployment, project, deps.address());
    return [...targets.values()].filter(({ service }) => !paused.has(service.name));
  };
  return {
    async live() {
      const targets: ActivationTarget[] = [];
      for (const { deploymentId } of await deps.deployments.pointers()) {
        if (deploymentId) targets.push(...(await ofDeployment(deploymentId)));
      }
      return targets;
    },
    async find(deploymentId, service) {
      const targets = await ofDeployment(deploymentId);
      return targets.find((target) => target.service.name === service);
    },
  };
}
