import type { Plan } from '../../config/plans.ts';
import type { Project } from '../../ports/projects.ts';
import type { Repository } from '../../ports/repositories.ts';
import { requireAccess, unknownName } from '../access.ts';
import type { Context } from '../context.ts';

export interface PushTarget {
  readonly repository: Repository;
  readonly project: Project;
  readonly plan: Plan;
}

/**
 * Where a push goes, once the session is known to be allowed to push there. 'create': the repository
 * is made where it is missing; 'existing': it must be there.
 */
export async function pushTarget(
  { request, session, path, services }: Context & { path: object },
  missing: 'create' | 'existing',
): Promise<PushTarget> {
  const { metadata, plans } = services;
  const { team, project: projectSlug, repository: name } = path as NonNullable<Context['path']>;
  const project = await metadata.projects.findBySlugs(team, projectSlug);
  const existing =
    project && (await metadata.repositories.find({ team, project: projectSlug, repository: name }));
  const place = project && {
    teamId: project.teamId,
    projectId: project.id,
    visibility: existing?.visibility ?? ('private' as const),
  };
  requireAccess(session, request.name, place, 'push');
  if (!project) throw unknownName();
  const plan = plans[project.plan];
  if (existing) return { repository: existing, project, plan };
  if (missing === 'existing') throw unknownName();
  const actor = session.identity.actor;
  return { repository: await services.ensureRepository(project, name, plan, actor), project, plan };
}
