import type { FunctionsRow } from './rig.ts';
import { burstRow } from './rows/burst.ts';
import { coldRows } from './rows/cold.ts';
import { pullRows } from './rows/pull.ts';
import { simulationRow } from './rows/simulation.ts';
import { thawRow } from './rows/thaw.ts';
import { warmRow } from './rows/warm.ts';

/** In the order in which they run. */
export const functionsRows: readonly FunctionsRow[] = [
  ...coldRows,
  warmRow,
  thawRow,
  burstRow,
  ...pullRows,
  simulationRow,
];
