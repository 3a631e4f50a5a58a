import { groups } from '../callers.ts';
import type { Rows } from '../row.ts';

/** Events, webhooks and the audit log. */
export const eventRows: Rows = {
  // Each hears of what it may know alone.
  streamEvents: { at: 'signed-in', may: groups.signedIn, stream: true },
  listEvents: { at: 'team', may: groups.knowTeam },
};
