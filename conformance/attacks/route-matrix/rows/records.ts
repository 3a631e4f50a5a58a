import { groups } from '../callers.ts';
import type { Rows } from '../row.ts';

/** Who runs functions: what they write may be anybody's data. */
const runs = { at: 'project', may: groups.push } as const;

/** What functions did: nothing here, where none ran. */
export const recordRows: Rows = {
  listFunctionLines: runs,
  streamFunctionLines: { ...runs, stream: true },
  listFunctionRequests: runs,
  getFunctionRequest: {
    ...{ ...runs, answers: 404, makes: ['request'] },
    sample: () => ({ params: { request: `req_${'0'.repeat(32)}` } }),
  },
  listColdStarts: runs,
  sumColdStarts: runs,
  getFunctionMetrics: runs,
  getFunctionUsage: runs,
  listMeteringEvents: { ...runs, sample: () => ({ query: { day: '2026-11-21' } }) },
  exportMeteringEvents: runs,
  getBill: runs,
  exportBill: runs,
};
