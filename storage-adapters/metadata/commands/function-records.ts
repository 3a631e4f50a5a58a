import type {
  ColdStart,
  FunctionLogLine,
  MeteringEvent,
  RequestRecord,
} from '../../../src/ports/commands-functions.ts';
import { dayOf } from '../../../src/ports/function-records.ts';
import { query } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';
import type { Command } from './command.ts';

// A batch whose answer was lost is sent again: what is there is left as it is.
const putLine = query<FunctionSchema['function_lines']>((db, p) =>
  db
    .insertInto('function_lines')
    .values({
      ...{ id: p('id'), project_id: p('project_id'), deployment_id: p('deployment_id') },
      ...{ service: p('service'), instance_id: p('instance_id'), at: p('at') },
      ...{ stream: p('stream'), text: p('text'), request_ids: p('request_ids') },
    })
    .onConflict((c) => c.column('id').doNothing()),
);
const putRequest = query<FunctionSchema['function_requests']>((db, p) =>
  db
    .insertInto('function_requests')
    .values({
      ...{ id: p('id'), project_id: p('project_id'), deployment_id: p('deployment_id') },
      ...{ service: p('service'), instance_id: p('instance_id'), at: p('at') },
      record: p('record'),
    })
    .onConflict((c) => c.column('id').doNothing()),
);
const putStart = query<FunctionSchema['cold_starts']>((db, p) =>
  db
    .insertInto('cold_starts')
    .values({
      ...{ instance_id: p('instance_id'), at: p('at'), project_id: p('project_id') },
      ...{ deployment_id: p('deployment_id'), service: p('service'), record: p('record') },
    })
    .onConflict((c) => c.columns(['instance_id', 'at']).doNothing()),
);
const putUsage = query<FunctionSchema['metering_events']>((db, p) =>
  db
    .insertInto('metering_events')
    .values({
      ...{ id: p('id'), project_id: p('project_id'), deployment_id: p('deployment_id') },
      ...{ service: p('service'), instance_id: p('instance_id'), kind: p('kind'), day: p('day') },
      ...{ from_at: p('from_at'), to_at: p('to_at'), active_cpu_ms: p('active_cpu_ms') },
      ...{ memory_mb_ms: p('memory_mb_ms'), invocations: p('invocations') },
    })
    .onConflict((c) => c.column('id').doNothing()),
);
const lastPrices = query<object, { from_day: string; prices: string }>((db) =>
  db.selectFrom('price_tables').selectAll().orderBy('from_day', 'desc').limit(1),
);
const putPrices = query<{ day: string; prices: string }>((db, p) =>
  db
    .insertInto('price_tables')
    .values({ from_day: p('day'), prices: p('prices') })
    .onConflict((c) =>
      c.column('from_day').doUpdateSet((e) => ({ prices: e.ref('excluded.prices') })),
    ),
);

export const appendFunctionLogs: Command<'AppendFunctionLogs'> = async (tx, args) => {
  for (const line of args.lines) {
    const row = { ...placeOf(line), id: line.id, at: line.at, stream: line.stream };
    const requests = JSON.stringify(line.requestIds);
    await putLine.run(tx, {
      ...{ ...row, instance_id: line.instanceId, text: line.text, request_ids: requests },
    });
  }
  for (const request of args.requests) {
    const { id, at, instanceId: instance_id = null } = request;
    const record = JSON.stringify(request);
    await putRequest.run(tx, { ...placeOf(request), id, at, instance_id, record });
  }
  for (const start of args.coldStarts) {
    const { at, instanceId: instance_id } = start;
    await putStart.run(tx, { ...placeOf(start), at, instance_id, record: JSON.stringify(start) });
  }
  return null;
};

export const appendUsage: Command<'AppendUsage'> = async (tx, { events }) => {
  for (const event of events) {
    await putUsage.run(tx, {
      ...placeOf(event),
      ...{ id: event.id, instance_id: event.instanceId ?? null, kind: event.kind },
      ...{ day: dayOf(event.from), from_at: event.from, to_at: event.to },
      active_cpu_ms: event.activeCpuMs,
      memory_mb_ms: event.memoryMbMs,
      invocations: event.invocations,
    });
  }
  return null;
};

export const setPrices: Command<'SetPrices'> = async (tx, args) => {
  const prices = JSON.stringify(args.prices);
  const last = await lastPrices.get(tx, {});
  if (last?.prices === prices) return null;
  // A clock that went back does not change days that were priced.
  const day = last === undefined ? '' : args.day > last.from_day ? args.day : last.from_day;
  await putPrices.run(tx, { day, prices });
  return null;
};

function placeOf(of: FunctionLogLine | RequestRecord | ColdStart | MeteringEvent) {
  const { projectId: project_id, deploymentId: deployment_id, service } = of;
  return { project_id, deployment_id, service };
}
