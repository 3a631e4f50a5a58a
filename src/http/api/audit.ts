export type { Audit, AuditRecord } from '../../ports/audit.ts';
