import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import { type InvocationRow as Row, toInvocation } from '../stores/invocations.ts';
import type { Command } from './command.ts';

const insert = query<Row>((db, p) =>
  db.insertInto('function_invocations').values({
    id: p('id'),
    project_id: p('project_id'),
    service: p('service'),
    environment: p('environment'),
    name: p('name'),
    state: p('state'),
    attempts: p('attempts'),
    run_at: p('run_at'),
    content_type: p('content_type'),
    payload: p('payload'),
    result: p('result'),
    error: p('error'),
    created_at: p('created_at'),
    created_by: p('created_by'),
    finished_at: p('finished_at'),
  }),
);
const countOpen = query<{ project: string }, { count: number }>((db, p) =>
  db
    .selectFrom('function_invocations')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('project_id', '=', p('project'))
    .where('state', 'in', ['queued', 'running']),
);
const projectOf = query<{ project: string }, { id: string }>((db, p) =>
  db.selectFrom('projects').select('id').where('id', '=', p('project')),
);
const due = query<{ state: string; now: number; limit: number }, Row>((db, p) =>
  db
    .selectFrom('function_invocations')
    .selectAll()
    .where('state', '=', p('state'))
    .where('run_at', '<=', p('now'))
    .orderBy('run_at')
    .orderBy('id')
    .limit(p('limit')),
);
const claim = query<{ id: string; leaseUntil: number }>((db, p) =>
  db
    .updateTable('function_invocations')
    .set((e) => ({ state: 'running', attempts: e('attempts', '+', 1), run_at: p('leaseUntil') }))
    .where('id', '=', p('id')),
);
interface Finish {
  id: string;
  attempt: number;
  state: string;
  runAt: number;
  result: string | null;
  error: string | null;
  finishedAt: number | null;
}
const finish = query<Finish>((db, p) =>
  db
    .updateTable('function_invocations')
    .set({
      state: p('state'),
      run_at: p('runAt'),
      result: p('result'),
      error: p('error'),
      finished_at: p('finishedAt'),
    })
    .where('id', '=', p('id'))
    .where('state', '=', 'running')
    .where('attempts', '=', p('attempt')),
);
const prune = query<{ before: number; limit: number }>((db, p) =>
  db
    .deleteFrom('function_invocations')
    .where('id', 'in', (e) =>
      e
        .selectFrom('function_invocations')
        .select('id')
        .where('state', 'in', ['succeeded', 'failed'])
        .where('finished_at', '<', p('before'))
        .limit(p('limit')),
    ),
);

export const createInvocation: Command<'CreateInvocation'> = async (
  tx,
  { invocation, payload, most },
) => {
  const { projectId: project } = invocation;
  if (!(await projectOf.get(tx, { project })))
    throw refuse('not-found', 'There is no such project.');
  if (Number((await countOpen.get(tx, { project }))?.count) >= most) {
    throw refuse(
      'too-many-requests',
      `${most} invocations of the project wait already, as many as may.`,
      'Wait until some are done, or let the function have more instances.',
    );
  }
  await insert.run(tx, {
    id: invocation.id,
    project_id: project,
    service: invocation.service,
    environment: invocation.environment,
    name: invocation.name,
    state: invocation.state,
    attempts: invocation.attempts,
    run_at: invocation.runAt,
    content_type: invocation.contentType ?? null,
    payload,
    result: null,
    error: null,
    created_at: invocation.createdAt,
    created_by: invocation.createdBy,
    finished_at: null,
  });
  return null;
};

export const claimInvocations: Command<'ClaimInvocations'> = async (
  tx,
  { now, leaseUntil, limit, abandoned },
) => {
  // Those that were lost with who ran them have waited longest.
  const over = Math.max(now, abandoned ?? now);
  const lost = await due.all(tx, { state: 'running', now: over, limit });
  const queued =
    lost.length < limit
      ? await due.all(tx, { state: 'queued', now, limit: limit - lost.length })
      : [];
  const claimed = [...lost, ...queued];
  for (const { id } of claimed) await claim.run(tx, { id, leaseUntil });
  return claimed.map((row) => ({
    invocation: {
      ...toInvocation(row),
      ...{ state: 'running' as const, attempts: row.attempts + 1, runAt: leaseUntil },
    },
    payload: row.payload,
  }));
};

export const finishInvocation: Command<'FinishInvocation'> = async (tx, args) => {
  const { id, attempt, state, runAt, result, error, now } = args;
  const changed = await finish.run(tx, {
    ...{ id, attempt, state, error: error ?? null },
    runAt: runAt ?? now,
    result: result ? JSON.stringify(result) : null,
    finishedAt: state === 'queued' ? null : now,
  });
  return { changed: changed > 0 };
};

export const pruneInvocations: Command<'PruneInvocations'> = async (tx, args) => ({
  pruned: await prune.run(tx, args),
});
