import { keyPurposes } from '../ports/keys.ts';
import type { AdminDeps, Handlers } from './admin-context.ts';
import type { KeyView } from './admin-methods.ts';

/** The installation's own keys: what there is, and new ones. */
export function keyHandlers(deps: AdminDeps): Pick<Handlers, 'key.list' | 'key.rotate'> {
  return {
    async 'key.list'() {
      const views: KeyView[] = [];
      for (const purpose of keyPurposes) {
        for (const { id, createdAt, retiredAt } of await deps.metadata.keys.list(purpose)) {
          views.push({ id, purpose, createdAt, ...(retiredAt !== undefined && { retiredAt }) });
        }
      }
      return { keys: views };
    },
    'key.rotate': ({ purpose, now }) => deps.keys.rotate(purpose, { now: now === true }),
  };
}
