import { refuse } from '../oci/errors.ts';
import { quote } from '../oci/quote.ts';
import type { AdminDeps, Handlers } from './admin-context.ts';
import type { AdminLookup } from './admin-lookup.ts';

type CollectionMethods =
  | 'collection.plan'
  | 'collection.list'
  | 'collection.run'
  | 'collection.show';

const repositoriesShown = 10;
const rootsShown = 10;

/** What collections would free, and what the last ones did. */
export function collectionHandlers(
  { collectionPlans, collections }: Pick<AdminDeps, 'collectionPlans' | 'collections'>,
  lookup: AdminLookup,
): Pick<Handlers, CollectionMethods> {
  return {
    async 'collection.plan'({ repository, repositories = repositoriesShown, roots = rootsShown }) {
      const found = repository === undefined ? undefined : await lookup.repository(repository);
      const repositoryId = found?.repository.id;
      return collectionPlans.summary({ repositories, roots, repositoryId });
    },

    async 'collection.run'() {
      const begun = collections.begin();
      if (!collections.goesOn) await collections.ended(begun.id);
      return collections.state(begun.id) ?? begun;
    },

    async 'collection.show'({ run: id }) {
      const found = collections.state(id);
      if (found) return found;
      throw refuse(
        'not-found',
        `There is no run ${quote(id)} that was begun here lately.`,
        'npx gantry admin collection runs',
      );
    },

    'collection.list': async () => ({ runs: await collectionPlans.runs() }),
  };
}
