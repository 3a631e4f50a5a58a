import type { CollectionRun } from '../../../ports/collection.ts';
import { ok, type Route } from '../route.ts';
import { list, nullable, object, time, toTime } from '../schema.ts';
import { collectionPlanRoute } from './collection-plan.ts';

const count = { type: 'integer', minimum: 0 } as const;
const run = object(
  {
    dryRun: { type: 'boolean' },
    startedAt: time,
    endedAt: time,
    links: object(
      {
        seen: count,
        collected: {
          ...count,
          description: 'Of blobs that no manifest of their repository names.',
        },
      },
      { title: 'CollectedLinks' },
    ),
    blobs: object(
      {
        seen: count,
        collected: { ...count, description: 'That no repository links any more.' },
        bytes: { ...count, description: 'Of these. They go when the delay is over.' },
      },
      { title: 'CollectedBlobs' },
    ),
  },
  { title: 'CollectionRun' },
);
const record = object(
  {
    id: { type: 'string' },
    startedAt: time,
    endedAt: time,
    ...{ links: count, blobs: count, bytes: count },
  },
  { title: 'CollectionRecord' },
);
const viewOf = (done: CollectionRun) => ({
  ...done,
  startedAt: toTime(done.startedAt),
  endedAt: toTime(done.endedAt),
});

export const collectionRoutes: readonly Route[] = [
  collectionPlanRoute,
  {
    method: 'GET',
    path: '/collection',
    operationId: 'getCollection',
    tag: 'Collection',
    summary: 'What the last collection took away, and what is left to take away.',
    access: { at: 'operator' },
    replies: {
      200: {
        description: 'Of this process.',
        schema: object(
          {
            running: { type: 'boolean' },
            last: nullable(run),
            runs: list(record, {
              description: 'The last that took something away, of all replicas, the newest first.',
            }),
            unreferenced: object(
              {
                blobs: count,
                bytes: count,
                keys: { ...count, description: 'Whose bytes wait for their time to go.' },
              },
              {
                title: 'UnreferencedContent',
                description: 'Where there is much to count, as of some seconds ago.',
              },
            ),
          },
          { title: 'CollectionState' },
        ),
      },
    },
    async handle({ services: { collector, collectionPlans } }) {
      const { running, last } = collector;
      const unreferenced = await collector.unreferenced();
      const runs = (await collectionPlans.runs()).map((one) => ({
        ...one,
        startedAt: toTime(one.startedAt),
        endedAt: toTime(one.endedAt),
      }));
      return ok({ running, last: last ? viewOf(last) : null, runs, unreferenced });
    },
  },
  {
    method: 'POST',
    path: '/collection',
    operationId: 'runCollection',
    tag: 'Collection',
    summary: 'Collects now what nothing names, or tells what would be collected.',
    description:
      'Pushes and pulls go on. A blob that was pushed, mounted or asked for by who may push is kept for 24 hours, named or not.',
    access: { at: 'operator' },
    body: object(
      { dryRun: { type: 'boolean', description: 'True: nothing changes.' } },
      { optional: ['dryRun'], title: 'NewCollectionRun' },
    ),
    replies: { 200: { description: 'What was, or would be, collected.', schema: run } },
    async handle({ services: { collector }, body }) {
      const { dryRun } = body as { dryRun?: boolean };
      return ok(viewOf(await (dryRun ? collector.dryRun() : collector.run())));
    },
  },
];
