import type { AuditRecord } from '../../ports/audit.ts';
import type { AuditEntry } from '../../projects/admin-context.ts';

export type { Audit, AuditRecord } from '../../ports/audit.ts';

const socket = { id: 'operator', actor: 'operator (socket)', kind: 'operator' } as const;

/** What came by the admin socket, as all else is recorded. */
export function recordOfSocket(entry: AuditEntry): AuditRecord {
  const { method: action, target, teamId, outcome: result, reason } = entry;
  return { identity: socket, address: undefined, action, target, teamId, result, reason };
}
