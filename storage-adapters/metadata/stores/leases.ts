import type { Lease, LeaseName, Leases } from '../../../src/ports/leases.ts';
import { type Executor, query, then } from '../database.ts';

interface LeaseRow {
  holder: string;
  epoch: number;
  remaining: number;
  address: string | null;
  address_of: string | null;
}
const find = query<{ name: string }, LeaseRow>((db, p, { now }) =>
  db
    .selectFrom('leases')
    .select(['holder', 'epoch', 'address', 'address_of'])
    .select((e) => e('expires_at', '-', now).as('remaining'))
    .where('name', '=', p('name')),
);

export function leasesStore(db: Executor): Leases {
  return {
    find: (name: LeaseName) =>
      then(
        find.get(db, { name }),
        (row): Lease | undefined =>
          row && {
            ...{ name, holder: row.holder, epoch: row.epoch, remainingMs: row.remaining },
            address: row.address_of === row.holder ? (row.address ?? undefined) : undefined,
          },
      ),
  };
}
