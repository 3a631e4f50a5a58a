import type { AdminDeps, Handlers } from './admin-context.ts';
import type { AdminLookup } from './admin-lookup.ts';

const repositoriesShown = 10;
const rootsShown = 10;

/** What collections would free, and what the last ones did. */
export function collectionHandlers(
  { collectionPlans }: Pick<AdminDeps, 'collectionPlans'>,
  lookup: AdminLookup,
): Pick<Handlers, 'collection.plan' | 'collection.list'> {
  return {
    async 'collection.plan'({ repository, repositories = repositoriesShown, roots = rootsShown }) {
      const found = repository === undefined ? undefined : await lookup.repository(repository);
      const repositoryId = found?.repository.id;
      return collectionPlans.summary({ repositories, roots, repositoryId });
    },

    'collection.list': async () => ({ runs: await collectionPlans.runs() }),
  };
}
