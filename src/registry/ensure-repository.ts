import { countLimits, type Plan } from '../config/plans.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { Project } from '../ports/projects.ts';
import type { Repository } from '../ports/repositories.ts';

export type EnsuredRepositories = (
  project: Project,
  name: string,
  plan: Plan,
  actor: string,
) => Promise<Repository>;

/** Create on push: the repository, made where it is missing, private. */
export function createEnsureRepository(deps: {
  writer: CommandWriter;
  clock: Clock;
  newRepositoryId: () => string;
}): EnsuredRepositories {
  return (project, name, plan, actor) =>
    deps.writer.run('EnsureRepository', {
      id: deps.newRepositoryId(),
      projectId: project.id,
      name,
      visibility: 'private',
      actor,
      limits: countLimits(plan),
      now: deps.clock.now(),
    });
}
