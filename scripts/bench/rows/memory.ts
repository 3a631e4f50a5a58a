import type { Row } from '../bench.ts';
import { residentBytes } from '../processes.ts';
import { settled } from '../rounds.ts';

const megabyte = 1e6;

export const memoryRow: Row = {
  name: 'memory',
  title: 'Memory after all that',
  async run(bench) {
    const { servers } = await bench.files();
    const resident = new Map<string, { now: number; peak: number }>();
    for (const server of servers) {
      await settled(server.pid);
      resident.set(server.name, residentBytes(server.pid));
    }
    const figure = (what: string, of: 'now' | 'peak') => ({
      what,
      unit: 'MB',
      gantry: (resident.get('gantry')?.[of] ?? Number.NaN) / megabyte,
      peer: resident.has('distribution') ? resident.get('distribution')![of] / megabyte : undefined,
    });
    return {
      figures: [
        { ...figure('resident', 'now'), goal: { of: 'own', is: '≤', value: 150 } },
        figure('the most at any time', 'peak'),
      ],
      notes: ['the processes of the rows before, on the filesystem'],
    };
  },
};
