import type { Deployment } from '../ports/functions.ts';
import type { Project } from '../ports/projects.ts';
import type { ActivationTarget } from './activation.ts';

/**
 * The services of a deployment that is ready, by name; empty where it has no snapshot yet. `address`: the
 * functions domain, with its port where clients need one (`localhost:5050`).
 */
export function targetsOf(
  deployment: Deployment,
  project: Pick<Project, 'id' | 'slug' | 'teamId' | 'teamSlug'>,
  address: string,
): ReadonlyMap<string, ActivationTarget> {
  const host = deployment.host.includes('.') ? deployment.host : `${deployment.host}.${address}`;
  return new Map(
    (deployment.snapshot?.services ?? []).map((service) => [
      service.name,
      {
        deploymentId: deployment.id,
        teamId: project.teamId,
        teamSlug: project.teamSlug,
        projectId: project.id,
        projectSlug: project.slug,
        environment: deployment.environment,
        host,
        service,
      },
    ]),
  );
}
