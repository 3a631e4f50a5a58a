import { refuse } from '../oci/errors.ts';
import { quote } from '../oci/quote.ts';
import { parseRepositoryPath, type RepositoryPath } from '../oci/reference.ts';
import type { AdminDeps, Handlers } from './admin-context.ts';
import type { AdminLookup } from './admin-lookup.ts';
import type { RepositoryView } from './admin-methods.ts';

type RepositoryMethods = 'repository.list' | 'repository.visibility';

const defaultPage = 100;

/** Repositories, which pushes make: listed, and made public or private. */
export function repositoryHandlers(
  deps: AdminDeps,
  lookup: AdminLookup,
): Pick<Handlers, RepositoryMethods> {
  const { repositories, writer } = deps.metadata;
  return {
    async 'repository.list'({ team: reference, project, after, limit = defaultPage }) {
      const team = await lookup.team(reference);
      const projectIds = project && [(await lookup.project(project, team)).id];
      const scope = { teamId: team.id, ...(projectIds && { projectIds }) };
      const last = after === undefined ? undefined : positionOf(after);
      const names = await repositories.listNames(scope, last, limit + 1);
      const page: RepositoryView[] = [];
      for (const name of names.slice(0, limit)) {
        const found = await repositories.find(parseRepositoryPath(name)!);
        // One may go between the two reads.
        if (found) page.push({ name, visibility: found.visibility });
      }
      const next = names.length > limit ? names[limit - 1] : undefined;
      return { repositories: page, ...(next !== undefined && { next }) };
    },

    async 'repository.visibility'({ repository: path, visibility }) {
      const { name, repository } = await lookup.repository(path);
      if (visibility === undefined) return { name, visibility: repository.visibility };
      await writer.run('SetVisibility', { repositoryId: repository.id, visibility });
      return { name, visibility };
    },
  };
}

function positionOf(after: string): RepositoryPath {
  const path = parseRepositoryPath(after);
  if (path) return path;
  throw refuse(
    'invalid',
    `after must be the name of a repository, team/project/repository; got ${quote(after)}.`,
  );
}
