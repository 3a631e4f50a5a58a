import { mayAct } from '../../auth/authorizer.ts';
import type { Plan } from '../../config/plans.ts';
import { refuse } from '../../oci/errors.ts';
import type { Project } from '../../ports/projects.ts';
import type { Repository } from '../../ports/repositories.ts';
import type { Action } from '../../ports/trust-policies.ts';
import { requireAccess, unknownName } from '../access.ts';
import type { Context } from '../context.ts';

/** Where a push goes. */
export interface PushTarget {
  /** Undefined: not made yet. */
  readonly repository: Repository | undefined;
  readonly project: Project;
  readonly plan: Plan;
  /** False: tags that are there must stay as they are. */
  readonly overwrite: boolean;
  readonly mayDeploy: boolean;
  /** The repository, made where it is missing: to be called when nothing is left that could refuse the push. */
  ensure(): Promise<Repository>;
}

/** The target of the request's name, once the session is known to be allowed to push there. */
export async function pushTarget({
  request,
  session,
  path,
  services,
}: Context & { path: NonNullable<Context['path']> }): Promise<PushTarget> {
  const { metadata, plans } = services;
  const project = await metadata.projects.findBySlugs(path.team, path.project);
  const repository = project && (await metadata.repositories.find(path));
  const place = project && {
    teamId: project.teamId,
    projectId: project.id,
    visibility: repository?.visibility ?? ('private' as const),
  };
  requireAccess(session, request.name, place, 'create');
  if (!project) throw unknownName();
  const plan = plans[project.plan];
  const ensure = async () =>
    repository ?? services.ensureRepository(project, path.repository, plan, session.identity.actor);
  const may = (action: Action) => place !== undefined && mayAct(session.identity, place, action);
  const rights = { overwrite: may('push'), mayDeploy: may('deploy') };
  return { repository, project, plan, ...rights, ensure };
}

/** Before any byte is sent: whether the team stores as much as its plan allows already. */
export async function isFull(
  { metadata }: Context['services'],
  teamId: string,
  { storage }: Plan,
): Promise<boolean> {
  return storage !== undefined && (await metadata.usage.storedBytes(teamId)) >= storage;
}

export function storageFull({ name, storage: limit }: Plan) {
  return refuse(
    'quota',
    `The team stores as much as the ${name} plan allows, ${limit} bytes.`,
    'Delete images that are not needed, or change the plan: npx gantry admin team set-plan.',
    { limit, plan: name },
  );
}
