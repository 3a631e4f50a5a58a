import { refuse } from '../../../src/oci/errors.ts';
import { type Executor, query } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';
import { type ClaimRow, findClaim, toClaim } from '../stores/domains.ts';
import type { Command } from './command.ts';

const project = query<{ id: string }, { id: string }>((db, p) =>
  db.selectFrom('projects').select('id').where('id', '=', p('id')),
);
const holder = query<{ host: string }, FunctionSchema['function_hosts']>((db, p) =>
  db.selectFrom('function_hosts').selectAll().where('host', '=', p('host')),
);
const insertHost = query<ClaimRow>((db, p) =>
  db.insertInto('function_hosts').values({
    host: p('host'),
    custom: 1,
    project_id: p('project_id'),
    deployment_id: null,
    environment: p('environment'),
    name: p('name'),
    service: p('service'),
    created_at: p('created_at'),
  }),
);
const removeHost = query<{ host: string; project: string }>((db, p) =>
  db
    .deleteFrom('function_hosts')
    .where('host', '=', p('host'))
    .where('project_id', '=', p('project'))
    .where('custom', '=', 1),
);
const removeClaim = query<{ host: string; project: string }>((db, p) =>
  db
    .deleteFrom('domain_claims')
    .where('host', '=', p('host'))
    .where('project_id', '=', p('project')),
);
const insertClaim = query<ClaimRow>((db, p) =>
  db.insertInto('domain_claims').values({
    host: p('host'),
    project_id: p('project_id'),
    environment: p('environment'),
    name: p('name'),
    service: p('service'),
    token: p('token'),
    state: p('state'),
    message: p('message'),
    created_at: p('created_at'),
    checked_at: p('checked_at'),
  }),
);
const unproven = query<{ project: string }, { count: number }>((db, p) =>
  db
    .selectFrom('domain_claims')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('project_id', '=', p('project'))
    .where('state', '<>', 'verified'),
);

async function put(tx: Executor, row: ClaimRow): Promise<ClaimRow> {
  const key = { host: row.host, project: row.project_id };
  await removeClaim.run(tx, key);
  await insertClaim.run(tx, row);
  if (row.state === 'verified') {
    await removeHost.run(tx, key);
    await insertHost.run(tx, row);
  }
  return row;
}

export const claimDomain: Command<'ClaimDomain'> = async (tx, args) => {
  const { host, projectId, environment, name, service = null, token, trusted, most, now } = args;
  if (!(await project.get(tx, { id: projectId }))) {
    throw refuse('not-found', 'There is no such project.');
  }
  const held = await holder.get(tx, { host });
  const own = held?.project_id === projectId && held.custom === 1;
  if (held && !own) throw taken(host);
  const before = await findClaim.get(tx, { project: projectId, host });
  const verified = own || trusted;
  if (
    !before &&
    !verified &&
    ((await unproven.get(tx, { project: projectId }))?.count ?? 0) >= most
  ) {
    throw refuse(
      'conflict',
      `The project has ${most} domains that are not verified.`,
      'Prove those, or remove some: DELETE …/domains/<domain>.',
    );
  }
  const claim = await put(tx, {
    ...{ host, project_id: projectId, environment, name, service },
    token: before?.token ?? token,
    ...(verified
      ? { state: 'verified', message: null, checked_at: before?.checked_at ?? null }
      : { state: 'pending', message: before?.message ?? null, checked_at: null }),
    created_at: verified ? (before?.created_at ?? now) : now,
  });
  return toClaim(claim);
};

export const checkDomain: Command<'CheckDomain'> = async (tx, args) => {
  const { host, projectId, token, missing, last, now } = args;
  const row = await findClaim.get(tx, { project: projectId, host });
  if (!row || row.token !== token) return undefined;
  const seen = { ...row, checked_at: now };
  if (row.state === 'verified') return toClaim(await put(tx, seen));
  const held = await holder.get(tx, { host });
  if (held && held.project_id !== projectId) {
    return toClaim(await put(tx, { ...seen, state: 'failed', message: 'The domain is taken.' }));
  }
  if (missing !== undefined) {
    const state = last ? 'failed' : 'pending';
    return toClaim(await put(tx, { ...seen, state, message: missing }));
  }
  return toClaim(await put(tx, { ...seen, state: 'verified', message: null }));
};

export const removeCustomDomain: Command<'RemoveCustomDomain'> = async (tx, args) => {
  const key = { host: args.host, project: args.projectId };
  const removed = (await removeClaim.run(tx, key)) + (await removeHost.run(tx, key));
  if (removed === 0) throw refuse('not-found', 'The project has no such domain.');
  return null;
};

function taken(host: string) {
  return refuse(
    'conflict',
    `The domain "${host}" is taken.`,
    'Remove it from the project that has it first.',
  );
}
