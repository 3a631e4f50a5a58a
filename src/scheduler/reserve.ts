import type { DeploymentReservation, ReservedDeployment } from '../ports/commands-functions.ts';
import type { DeploymentPlanner, PlannedPush } from '../ports/deployment-planner.ts';
import type { FunctionEnvironment } from '../ports/functions.ts';
import type { Project } from '../ports/projects.ts';
import { deploymentLabels, hostLabels } from './host-labels.ts';

/** The name of production's pointer. */
export const productionName = 'production';
const defaultProductionTag = 'latest';
/** What clients without a referrers API tag signatures and SBOMs with. */
const referrersTag = /^sha(?:256|512)-[0-9a-f]{64,128}/;

export interface PlanFacts extends PlannedPush {
  /** Whether this installation runs functions at all. */
  readonly enabled: boolean;
  newId(prefix: 'dpl' | 'svc'): string;
}

/** What a push deploys: the production tag to production, each other tag to a preview of its name. */
export function planReservation(facts: PlanFacts): DeploymentReservation | undefined {
  const { project, repository, newId } = facts;
  if (!facts.enabled || !facts.runnable || !facts.mayDeploy || !functionsOn(project)) {
    return undefined;
  }
  const tags = facts.tags.filter((tag) => !referrersTag.test(tag));
  if (tags.length === 0) return undefined;
  const bound = project.settings.functions?.autoDeploy === false;
  return {
    newService: bound ? undefined : { id: newId('svc'), name: repository },
    deployments: tags.map((tag): ReservedDeployment => {
      const place = placeOf(project, tag);
      const id = newId('dpl');
      return { id, ...place, tag, ...hostsOf(project, place, repository, id) };
    }),
  };
}

/** Whether a project's images run. */
export function functionsOn(project: Project): boolean {
  return project.teamFunctions !== false && project.settings.functions?.enabled !== false;
}

/** Where a tag goes. */
export function placeOf(
  project: Project,
  tag: string,
): { environment: FunctionEnvironment; name: string } {
  const productionTag = project.settings.functions?.productionTag ?? defaultProductionTag;
  return tag === productionTag
    ? { environment: 'production', name: productionName }
    : { environment: 'preview', name: tag };
}

/** Labels of a deployment of `service`, of its pointer, and of the pointer's for this service alone. */
export function hostsOf(
  project: Project,
  place: { environment: FunctionEnvironment; name: string },
  service: string,
  id: string,
): Pick<ReservedDeployment, 'hosts' | 'pointerHosts' | 'serviceHosts'> {
  return {
    hosts: deploymentLabels([project.slug, service], id),
    ...{ pointerHosts: pointerLabels(project, place) },
    serviceHosts: pointerLabels(project, place, service),
  };
}

/** `shop-acme`, of a preview `shop-pr-1-acme`; of one service `web-shop-acme`. */
export function pointerLabels(
  project: Project,
  { environment, name }: { environment: FunctionEnvironment; name: string },
  service?: string,
): readonly string[] {
  const preview = environment === 'preview' ? [name] : [];
  const parts = [...(service === undefined ? [] : [service]), project.slug, ...preview];
  const seed = JSON.stringify([project.id, environment, name, service ?? null]);
  return hostLabels([...parts, project.teamSlug], seed);
}

export function createDeploymentPlanner(deps: {
  /** Whether this installation runs functions: asked at each push. */
  enabled(): boolean;
  newId(prefix: 'dpl' | 'svc'): string;
}): DeploymentPlanner {
  return {
    enabled: () => deps.enabled(),
    plan: (push) => planReservation({ ...push, enabled: deps.enabled(), newId: deps.newId }),
  };
}
