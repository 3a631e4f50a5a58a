import type { Digest } from '../../../oci/digest.ts';
import { refuse } from '../../../oci/errors.ts';
import { parseRepositoryPath } from '../../../oci/reference.ts';
import type { BlobFault, ScrubRun } from '../../../ports/scrub.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { noContent, ok, type Route } from '../route.ts';
import { digest, list, nullable, object, oneOf, page, text, time, toTime } from '../schema.ts';

const count = { type: 'integer', minimum: 0 } as const;
const string = { type: 'string' } as const;
const amount = object({ blobs: count, bytes: count });
const run = object(
  {
    id: string,
    repository: nullable({ ...string, description: 'team/project/repository; null: all.' }),
    actor: string,
    state: oneOf('running', 'done', 'cancelled'),
    startedAt: time,
    endedAt: nullable(time),
    total: { ...amount, description: 'As it began.' },
    blobs: { ...count, description: 'Read so far.' },
    bytes: count,
    quarantined: { ...count, description: 'That were found damaged, or are so still.' },
    repaired: { ...count, description: 'That were quarantined, and are whole again.' },
    unreadable: { ...count, description: 'That could not be read, though the store answers.' },
    manifests: count,
  },
  { title: 'ScrubRun' },
);
const fault = object(
  {
    digest,
    kind: oneOf('quarantined', 'unreadable'),
    reason: {
      ...string,
      description: 'Of quarantined: digest, size or missing; else what the store said.',
    },
    size: { ...count, description: 'Bytes that it should have.' },
    key: { ...string, description: 'Where the store has it.' },
    foundAt: time,
    seenAt: { ...time, description: 'When it was last looked at.' },
    repositories: list(string, { description: 'Some of those that link it.' }),
  },
  { title: 'BlobFault' },
);
const viewOf = (one: ScrubRun) => {
  const { repositoryId: _, repository = null, startedAt, endedAt, ...rest } = one;
  const ended = endedAt === undefined ? null : toTime(endedAt);
  return { ...rest, repository, startedAt: toTime(startedAt), endedAt: ended };
};
const faultOf = (one: BlobFault) => ({
  ...one,
  foundAt: toTime(one.foundAt),
  seenAt: toTime(one.seenAt),
});
const operator = { at: 'operator' } as const;
const tag = 'Scrub';

/** Reading what is stored anew: for operators. */
export const scrubRoutes: readonly Route[] = [
  {
    ...{ method: 'GET', path: '/scrub', operationId: 'getScrub', tag, access: operator },
    summary: 'How far the reading of stored bytes is, and how much is damaged.',
    replies: {
      200: {
        description: 'Of the installation.',
        schema: object(
          {
            rate: { ...count, description: 'Bytes a second.' },
            intervalSeconds: nullable({
              ...count,
              description: 'After which a blob is read anew; null: only when an operator asks.',
            }),
            running: nullable(run),
            runs: list(run, { description: 'That ended, the newest first.' }),
            stored: amount,
            due: { ...amount, description: 'Not read for the interval.' },
            oldestVerifiedAt: nullable({
              ...time,
              description: 'All was read since. Null: some was not yet, or nothing is stored.',
            }),
            manifestsVerifiedAt: nullable(time),
            quarantined: count,
            unreadable: count,
            damagedManifests: list(
              object(
                { digest, foundAt: time, repositories: list(string) },
                { title: 'DamagedManifest' },
              ),
            ),
            storeFailure: nullable({ ...string, description: 'Why the store cannot be read.' }),
          },
          { title: 'ScrubState' },
        ),
      },
    },
    async handle({ services: { scrub } }) {
      const { coverage, counts, intervalMs, ...status } = await scrub.status();
      const { running, manifestsEndedAt: ended } = status;
      return ok({
        rate: status.rate,
        intervalSeconds: intervalMs === undefined ? null : Math.round(intervalMs / 1000),
        running: running ? viewOf(running) : null,
        runs: status.runs.map(viewOf),
        stored: { blobs: coverage.blobs, bytes: coverage.bytes },
        due: { blobs: coverage.dueBlobs, bytes: coverage.dueBytes },
        oldestVerifiedAt: coverage.oldest ? toTime(coverage.oldest) : null,
        manifestsVerifiedAt: ended === undefined ? null : toTime(ended),
        ...{ quarantined: counts.quarantined, unreadable: counts.unreadable },
        damagedManifests: (await scrub.damagedManifests()).map((one) => ({
          ...one,
          foundAt: toTime(one.foundAt),
        })),
        storeFailure: status.storeFailure ?? null,
      });
    },
  },
  {
    ...{ method: 'POST', path: '/scrub', operationId: 'startScrub', tag, access: operator },
    summary: 'Reads all stored bytes now, or those of a repository.',
    description: 'At the rate that is set. Where the same is under way already, it is that.',
    body: object(
      {
        repository: text(255, { description: 'team/project/repository; absent: all.' }),
      },
      { optional: ['repository'], title: 'NewScrubRun' },
    ),
    replies: { 202: { description: 'It is under way.', schema: run } },
    refusals: [404, 409],
    async handle({ services: { scrub, metadata }, identity, body }) {
      const { repository: name } = body as { repository?: string };
      const path = name === undefined ? undefined : parseRepositoryPath(name);
      const found = path && (await metadata.repositories.find(path));
      if (name !== undefined && !found) {
        throw refuse(
          'not-found',
          'There is no such repository.',
          'Name it team/project/repository.',
        );
      }
      const of = found && { id: found.id, name: name! };
      return { status: 202, body: viewOf(await scrub.start(of, identity.actor)) };
    },
  },
  {
    ...{ method: 'DELETE', path: '/scrub', operationId: 'cancelScrub', tag, access: operator },
    summary: 'Ends the run that is under way, if there is one; what it found stays.',
    replies: { 204: { description: 'None is under way.' } },
    async handle({ services: { scrub } }) {
      const { running } = await scrub.status();
      if (running) await scrub.cancel(running.id);
      return noContent;
    },
  },
  {
    ...{ method: 'GET', path: '/scrub/faults', operationId: 'listBlobFaults', tag },
    access: operator,
    summary: 'Blobs that are quarantined, or could not be read, by digest.',
    query: pageQuery(),
    replies: { 200: { description: 'A page.', schema: page(fault, 'BlobFaultPage') } },
    async handle(call) {
      const { scrub, cursors } = call.services;
      const limit = limitOf(call);
      const after = cursors.read('scrub-faults', call.query.cursor)?.[0] as Digest | undefined;
      const found = await scrub.faults(after, limit + 1);
      const shown = cursors.page('scrub-faults', found, limit, (one) => [one.digest]);
      return ok({ ...shown, items: shown.items.map(faultOf) });
    },
  },
];
