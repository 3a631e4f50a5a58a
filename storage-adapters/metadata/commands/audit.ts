import { query } from '../database.ts';
import type { Command } from './command.ts';

interface NewRow {
  id: string;
  at: number;
  teamId: string | null;
  projectId: string | null;
  actorId: string;
  actor: string;
  actorKind: string;
  address: string | null;
  action: string;
  target: string | null;
  result: string;
  reason: string | null;
  requestId: string | null;
}
const insert = query<NewRow>((db, p) =>
  db
    .insertInto('audit')
    .values({
      id: p('id'),
      at: p('at'),
      team_id: p('teamId'),
      project_id: p('projectId'),
      actor_id: p('actorId'),
      actor: p('actor'),
      actor_kind: p('actorKind'),
      address: p('address'),
      action: p('action'),
      target: p('target'),
      result: p('result'),
      reason: p('reason'),
      request_id: p('requestId'),
    })
    // A batch whose answer was lost is sent again.
    .onConflict((c) => c.column('id').doNothing()),
);

export const appendAudit: Command<'AppendAudit'> = async (tx, { rows }) => {
  for (const row of rows) {
    await insert.run(tx, {
      ...row,
      teamId: row.teamId ?? null,
      projectId: row.projectId ?? null,
      address: row.address ?? null,
      target: row.target ?? null,
      reason: row.reason ?? null,
      requestId: row.requestId ?? null,
    });
  }
  return null;
};
