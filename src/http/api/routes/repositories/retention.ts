import type { RetentionRun } from '../../../../maintenance/retainer.ts';
import { ok, type Route } from '../../route.ts';
import { digest, list, nullable, object, oneOf } from '../../schema.ts';
import { repositoryPath } from './places.ts';

/** Manifests shown of a run. */
const mostShown = 1_000;
const count = { type: 'integer', minimum: 0 } as const;
const string = { type: 'string' } as const;
const item = object(
  {
    digest,
    tags: list(string),
    keep: { type: 'boolean' },
    reason: {
      ...oneOf(
        ...['deployed', 'immutable-tag', 'tag-deletion-off', 'no-rule', 'newest', 'pushed'],
        ...['pulled', 'recent', 'part-of', 'refers-to', 'expired', 'with-index', 'with-subject'],
      ),
      description: 'Why it stays, or goes: expired, with-index, with-subject.',
    },
    by: nullable({ ...string, description: 'The tag or the digest that the reason is about.' }),
    bytes: {
      ...count,
      description: 'What it would free: the manifest, and blobs that nothing kept names.',
    },
  },
  { title: 'RetentionItem' },
);
const run = object(
  {
    dryRun: { type: 'boolean' },
    kept: count,
    removed: count,
    left: { ...count, description: 'That go in the next run: one removes about 1,000 at most.' },
    bytes: {
      ...count,
      description: 'Of all that goes, each blob once. Freed when it can be restored no more.',
    },
    items: list(item, { description: `What goes first; at most ${mostShown}.` }),
  },
  { title: 'RetentionRun' },
);

const viewOf = ({ items, ...rest }: RetentionRun) => ({
  ...rest,
  items: items.slice(0, mostShown).map(({ by = null, ...one }) => ({ ...one, by })),
});

export const retentionRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: `${repositoryPath}/retention`,
    operationId: 'runRetention',
    tag: 'Rules',
    summary: 'Deletes now what the rules keep no longer, or tells what would be deleted.',
    description:
      'Each manifest comes with the reason why it stays or goes. What goes can be restored for a while.',
    access: { at: 'repository', action: 'manage' },
    body: object(
      { dryRun: { type: 'boolean', description: 'True: nothing changes.' } },
      { optional: ['dryRun'], title: 'NewRetentionRun' },
    ),
    replies: { 200: { description: 'What was, or would be, deleted.', schema: run } },
    async handle({ services: { retainer }, repository: { id }, body }) {
      const { dryRun } = body as { dryRun?: boolean };
      return ok(viewOf(await (dryRun ? retainer.dryRun(id) : retainer.run(id))));
    },
  },
];
