import { firstIdAt } from '../../../src/ports/function-records.ts';
import { type Executor, type Query, query } from '../database.ts';
import type { Command } from './command.ts';

interface Target {
  project: string;
  last: string;
  limit: number;
}
/** Tables whose rows have an id by their age. */
type ByAge = 'function_lines' | 'function_requests' | 'metering_events';
/** Those of them that a project keeps so many rows of. */
type Counted = Exclude<ByAge, 'metering_events'>;

/** The oldest rows before `last`. All these tables have the columns of the one that stands for them here. */
const older = (table: ByAge) =>
  query<{ last: string; limit: number }>((db, p) => {
    const name = table as 'function_lines';
    return db
      .deleteFrom(name)
      .where('id', 'in', (e) =>
        e.selectFrom(name).select('id').where('id', '<', p('last')).orderBy('id').limit(p('limit')),
      );
  });
const oldLines = older('function_lines');
const oldRequests = older('function_requests');
const oldUsage = older('metering_events');
const oldStarts = query<{ before: number; limit: number }, { instance_id: string; at: number }>(
  (db, p) =>
    db
      .selectFrom('cold_starts')
      .select(['instance_id', 'at'])
      .where('at', '<', p('before'))
      .orderBy('at')
      .limit(p('limit')),
);
const dropStart = query<{ instance: string; at: number }>((db, p) =>
  db.deleteFrom('cold_starts').where('instance_id', '=', p('instance')).where('at', '=', p('at')),
);

/** One table of records: the projects in it, the newest id that is too much in one, and its removal. */
interface Table {
  readonly next: Query<{ project: string }, { project: string }>;
  readonly past: Query<{ project: string; keep: number }, { id: string }>;
  readonly drop: Query<Target, unknown>;
}
const counted = (table: Counted): Table => {
  const name = table as 'function_lines';
  return {
    next: query((db, p) =>
      db
        .selectFrom(name)
        .select('project_id as project')
        .where('project_id', '>', p('project'))
        .orderBy('project_id')
        .limit(1),
    ),
    past: query((db, p) =>
      db
        .selectFrom(name)
        .select('id')
        .where('project_id', '=', p('project'))
        .orderBy('id', 'desc')
        .limit(1)
        .offset(p('keep')),
    ),
    drop: query((db, p) =>
      db
        .deleteFrom(name)
        .where('id', 'in', (e) =>
          e
            .selectFrom(name)
            .select('id')
            .where('project_id', '=', p('project'))
            .where('id', '<=', p('last'))
            .orderBy('id')
            .limit(p('limit')),
        ),
    ),
  };
};
const lines = counted('function_lines');
const requests = counted('function_requests');
const startProjects = query<{ project: string }, { project: string }>((db, p) =>
  db
    .selectFrom('cold_starts')
    .select('project_id as project')
    .where('project_id', '>', p('project'))
    .orderBy('project_id')
    .limit(1),
);
const startsPast = query<
  { project: string; keep: number; limit: number },
  { instance_id: string; at: number }
>((db, p) =>
  db
    .selectFrom('cold_starts')
    .select(['instance_id', 'at'])
    .where('project_id', '=', p('project'))
    .orderBy('at', 'desc')
    .orderBy('instance_id', 'desc')
    .limit(p('limit'))
    .offset(p('keep')),
);
const known = query<{ project: string }, { id: string }>((db, p) =>
  db.selectFrom('projects').select('id').where('id', '=', p('project')),
);

export const pruneFunctionLogs: Command<'PruneFunctionLogs'> = async (tx, args) => {
  const { before, keep, usageBefore, limit } = args;
  const gone = [
    await oldLines.run(tx, { last: firstIdAt('log', before), limit }),
    await oldRequests.run(tx, { last: firstIdAt('req', before), limit }),
    await oldUsage.run(tx, { last: firstIdAt('mtr', usageBefore), limit }),
    await dropStarts(tx, await oldStarts.all(tx, { before, limit })),
    await dropPast(tx, lines, keep, limit),
    await dropPast(tx, requests, keep, limit),
    await dropStartsPast(tx, keep, limit),
  ];
  return { more: gone.some((count) => count >= limit) };
};

/** Over all projects, `limit` rows at most; of a project that is gone, all. */
async function dropPast(tx: Executor, table: Table, keep: number, limit: number): Promise<number> {
  let dropped = 0;
  let at = await table.next.get(tx, { project: '' });
  while (at && dropped < limit) {
    const { project } = at;
    const kept = (await known.get(tx, { project })) ? keep : 0;
    const past = await table.past.get(tx, { project, keep: kept });
    if (past)
      dropped += await table.drop.run(tx, { project, last: past.id, limit: limit - dropped });
    at = await table.next.get(tx, { project });
  }
  return dropped;
}

async function dropStartsPast(tx: Executor, keep: number, limit: number): Promise<number> {
  let dropped = 0;
  let at = await startProjects.get(tx, { project: '' });
  while (at && dropped < limit) {
    const { project } = at;
    const kept = (await known.get(tx, { project })) ? keep : 0;
    const past = await startsPast.all(tx, { project, keep: kept, limit: limit - dropped });
    dropped += await dropStarts(tx, past);
    at = await startProjects.get(tx, { project });
  }
  return dropped;
}

async function dropStarts(
  tx: Executor,
  starts: readonly { instance_id: string; at: number }[],
): Promise<number> {
  for (const { instance_id: instance, at } of starts) await dropStart.run(tx, { instance, at });
  return starts.length;
}
