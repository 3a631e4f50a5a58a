/** The part of the bench that runs in the engine's network: it measures, and prints the results as JSON. */
import { readFileSync } from 'node:fs';
import type { RowResult } from '../report.ts';
import { openEngine } from './engine-alone.ts';
import { type Order, Rig } from './rig.ts';
import { functionsRows } from './rows.ts';

const order = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Order;
const rig = new Rig(order, await openEngine(order.socket));
const results: RowResult[] = [];
for (const row of functionsRows) {
  if (order.only.length > 0 && !order.only.includes(row.name)) continue;
  process.stderr.write(`${row.name}: ${row.title} …\n`);
  const { name, title } = row;
  try {
    const { figures, notes = [], missing } = await row.run(rig);
    results.push({ row: name, title, figures, notes, ...(missing ? { missing } : {}) });
  } catch (error) {
    results.push({ row: name, title, figures: [], notes: [], failed: (error as Error).message });
  }
}
rig.kept.destroy();
await rig.engine.close();
process.stdout.write(JSON.stringify(results));
