import { parseDigest } from '../oci/digest.ts';
import { refuse } from '../oci/errors.ts';
import { quote } from '../oci/quote.ts';
import type { AdminDeps, Handlers } from './admin-context.ts';
import type { AdminLookup } from './admin-lookup.ts';

type ScrubMethods = 'scrub.status' | 'scrub.list' | 'scrub.start' | 'scrub.show' | 'scrub.cancel';

const defaultPage = 100;

/** Reading what is stored anew: how far it is, what it found, begun and ended. */
export function scrubHandlers(
  { scrub }: Pick<AdminDeps, 'scrub'>,
  lookup: AdminLookup,
): Pick<Handlers, ScrubMethods> {
  return {
    'scrub.status': () => scrub.status(),

    async 'scrub.list'({ after, limit = defaultPage }) {
      const last = after === undefined ? undefined : parseDigest(after);
      if (after !== undefined && last === undefined)
        throw refuse('invalid', `after must be a digest; got ${quote(after)}.`);
      const found = await scrub.faults(last, limit + 1);
      const faults = found.slice(0, limit);
      const manifests = last === undefined ? await scrub.damagedManifests() : [];
      const next = found.length > limit ? faults.at(-1)?.digest : undefined;
      return { faults, manifests, ...(next !== undefined && { next }) };
    },

    async 'scrub.start'({ repository: path }) {
      const found = path === undefined ? undefined : await lookup.repository(path);
      return scrub.start(found && { id: found.repository.id, name: found.name }, 'operator');
    },

    async 'scrub.show'({ run: id }) {
      const run = await scrub.run(id);
      if (run) return run;
      throw refuse(
        'not-found',
        `There is no run ${quote(id)}, or it is forgotten: the last 50 are kept.`,
        'npx gantry admin scrub status',
      );
    },

    async 'scrub.cancel'() {
      const { running } = await scrub.status();
      if (!running) return {};
      await scrub.cancel(running.id);
      const run = await scrub.run(running.id);
      return run ? { run } : {};
    },
  };
}
