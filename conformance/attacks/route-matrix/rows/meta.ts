import { groups } from '../callers.ts';
import type { Rows } from '../row.ts';

export const metaRows: Rows = {
  getOpenApi: { at: 'public', may: groups.signedIn },
  getDocs: { at: 'public', may: groups.signedIn },
  getCollection: { at: 'operator', may: groups.operator },
  planCollection: { at: 'operator', may: groups.operator },
  runCollection: {
    ...{ at: 'operator', may: groups.operator },
    sample: () => ({ body: { dryRun: true } }),
  },
  getScrub: { at: 'operator', may: groups.operator },
  startScrub: { ...{ at: 'operator', may: groups.operator }, sample: () => ({ body: {} }) },
  cancelScrub: { at: 'operator', may: groups.operator },
  listBlobFaults: { at: 'operator', may: groups.operator },
  getMe: { at: 'signed-in', may: groups.signedIn },
};
