import { groups } from '../callers.ts';
import type { Rows } from '../row.ts';

export const metaRows: Rows = {
  getOpenApi: { at: 'public', may: groups.signedIn },
  getDocs: { at: 'public', may: groups.signedIn },
  getMe: { at: 'signed-in', may: groups.signedIn },
};
